//! What a call costs in Rust: `bench measure PORT`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use odin_sdk::Odin;

fn micros(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e6
}

fn post(port: &str, number: u32) {
    let body = format!("watch,price,{number}.5,a37b187f5930,1606000000");
    let mut connection = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the server listens");
    let request = format!(
        "POST /stats/add HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).expect("the server reads");
    connection.read_to_end(&mut Vec::new()).expect("the server answers");
}

fn main() {
    let port = std::env::args().nth(2).expect("a port");
    let odin = Odin::setup("bench.yml");
    let mut together = Vec::new();
    for _ in 0..60 {
        let began = Instant::now();
        for number in 0..2000 {
            odin.watch("price", f64::from(number) + 0.5);
        }
        together.push(micros(began) / 2000.0);
        assert!(odin.flush(Duration::from_secs(60)).is_complete());
    }
    let mut alone = Vec::new();
    for number in 0..500 {
        std::thread::sleep(Duration::from_millis(2));
        let began = Instant::now();
        odin.watch("price", f64::from(number) + 0.5);
        alone.push(micros(began));
    }
    let mut posts = Vec::new();
    for number in 0..500 {
        let began = Instant::now();
        post(&port, number);
        posts.push(micros(began));
    }
    for mut figures in [together, alone, posts] {
        figures.sort_by(f64::total_cmp);
        println!("{} {}", figures[figures.len() / 2], figures[figures.len() * 99 / 100]);
    }
}
