// `serve`: an HTTP server that answers each POST, for all languages; prints its port. `measure PORT`: what a call costs in Go.
package main

import (
	"bytes"
	"encoding/json"
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

func serve() {
	web, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(web.Addr().(*net.TCPAddr).Port)
	must(http.Serve(web, http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		_, _ = io.WriteString(answer, "200")
	})))
}

type line struct {
	Seq   int     `json:"seq"`
	At    string  `json:"at"`
	Kind  string  `json:"kind"`
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

func measure(port string) {
	odin, err := odinlib.Setup("bench.yml")
	must(err)
	var kept [][]byte
	calls := map[string]func(int){
		"": func(number int) { odin.Watch("price", float64(number)+0.5) },
		"line_": func(number int) {
			at := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
			text, err := json.Marshal(line{number, at, "watch", "price", float64(number) + 0.5})
			must(err)
			kept = append(kept, append(text, '\n'))
		},
	}
	for _, prefix := range []string{"", "line_"} {
		call := calls[prefix]
		say(prefix+"row", inARow(odin, call))
		say(prefix+"work2", eachAfter(call, work, 2*time.Millisecond, 500))
		say(prefix+"work20", eachAfter(call, work, 20*time.Millisecond, 200))
		say(prefix+"sleep2", eachAfter(call, time.Sleep, 2*time.Millisecond, 500))
	}
	post := func(number int) {
		body := fmt.Sprintf("watch,price,%d.5,a37b187f5930,1606000000", number)
		answer, err := http.Post("http://127.0.0.1:"+port+"/stats/add", "text/plain", bytes.NewBufferString(body))
		must(err)
		_, _ = io.Copy(io.Discard, answer.Body)
		must(answer.Body.Close())
	}
	say("post", eachAfter(post, time.Sleep, 0, 500))
}

func inARow(odin *odinlib.Odin, call func(int)) (times []time.Duration) {
	for round := 0; round < 60; round++ {
		began := time.Now()
		for number := 0; number < 2000; number++ {
			call(number)
		}
		times = append(times, time.Since(began)/2000)
		if odin.Flush(time.Minute).Undelivered > 0 {
			panic("not delivered")
		}
	}
	return times
}

func eachAfter(call func(int), pause func(time.Duration), length time.Duration, count int) (times []time.Duration) {
	for number := 0; number < count; number++ {
		pause(length)
		began := time.Now()
		call(number)
		times = append(times, time.Since(began))
	}
	return times
}

var numbers [1000]int

func work(length time.Duration) {
	for began := time.Now(); time.Since(began) < length; {
		for at := range numbers {
			numbers[at] = (numbers[at]*3 + at) % 1001
		}
	}
}

func say(name string, times []time.Duration) {
	slices.Sort(times)
	micros := func(at int) float64 { return float64(times[at].Nanoseconds()) / 1000 }
	fmt.Println(name, micros(len(times)/2), micros(len(times)*99/100))
}

func main() {
	if os.Args[1] == "serve" {
		serve()
	}
	measure(os.Args[2])
}
