// `serve SOCKET`: the other end, for all languages: a values socket that acknowledges what it reads, and an HTTP server that
// answers each POST. Prints the server's port. `measure PORT`: what a call costs in Go.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/theycallmemac/odin/odin-libraries/go/odinlib"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func serve(socket string) {
	values, err := net.Listen("unix", socket)
	must(err)
	web, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		must(http.Serve(web, http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
			_, _ = io.Copy(io.Discard, request.Body)
			_, _ = io.WriteString(answer, "200")
		})))
	}()
	fmt.Println(web.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := values.Accept()
		must(err)
		go acknowledge(connection)
	}
}

func acknowledge(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 1<<18)
	seen := -1 // The hello is no report.
	for {
		count, err := connection.Read(buffer)
		if err != nil {
			return
		}
		seen += bytes.Count(buffer[:count], []byte("\n"))
		// As the executor does, which waits for its disk: not after every line.
		time.Sleep(time.Millisecond)
		fmt.Fprintf(connection, "{\"ack\":%d}\n", seen)
	}
}

func measure(port string) {
	odin, err := odinlib.Setup("bench.yml")
	must(err)
	watch := func(number int) { odin.Watch("price", float64(number)+0.5) }
	var together, alone, posts []float64
	for round := 0; round < 60; round++ {
		began := time.Now()
		for number := 0; number < 2000; number++ {
			watch(number)
		}
		together = append(together, micros(began)/2000)
		if odin.Flush(time.Minute).Undelivered > 0 {
			panic("not delivered")
		}
	}
	for number := 0; number < 500; number++ {
		time.Sleep(2 * time.Millisecond)
		began := time.Now()
		watch(number)
		alone = append(alone, micros(began))
	}
	for number := 0; number < 500; number++ {
		began := time.Now()
		body := fmt.Sprintf("watch,price,%d.5,a37b187f5930,1606000000", number)
		answer, err := http.Post("http://127.0.0.1:"+port+"/stats/add", "text/plain", bytes.NewBufferString(body))
		must(err)
		_, _ = io.Copy(io.Discard, answer.Body)
		must(answer.Body.Close())
		posts = append(posts, micros(began))
	}
	for _, figures := range [][]float64{together, alone, posts} {
		slices.Sort(figures)
		fmt.Println(figures[len(figures)/2], figures[len(figures)*99/100])
	}
}

func micros(began time.Time) float64 { return float64(time.Since(began).Nanoseconds()) / 1000 }

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	measure(os.Args[2])
}
