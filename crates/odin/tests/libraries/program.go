// A program that reports with odinlib for Go, in the way that its argument names.
package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/theycallmemac/odin/odin-libraries/go/odinlib"
)

const threads = 1000

var here = os.Getenv("HERE")

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func seen(name string, text any) {
	file, err := os.OpenFile(filepath.Join(here, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(err)
	_, err = fmt.Fprintln(file, text)
	must(err)
	must(file.Close())
}

func flush(odin *odinlib.Odin) {
	if delivery := odin.Flush(time.Minute); delivery.Undelivered != 0 {
		panic(delivery.String())
	}
}

func types(odin *odinlib.Odin) {
	var deep any = 1
	for range make([]struct{}, 100) {
		deep = []any{deep}
	}
	odin.Watch("a price", 101.5)
	odin.Watch("big", uint64(1)<<63)
	odin.Watch("least", int64(math.MinInt64))
	odin.Watch("nan", math.NaN())
	odin.Watch("text", "a,b\n\"c\" 🙂")
	odin.Watch("list", []any{1, map[string]any{"a": nil}})
	odin.Watch("deep", deep)
	odin.Watch("long", strings.Repeat("x", 1<<20))
	odin.Watch("a,b\n\"c\"\\ 🙂\u202e\x1b[2J", 1)
	odin.Watch("", "no name")
	if !odin.Condition("holds", 1 < 2) {
		panic("holds")
	}
	if odin.Condition("is empty", false) {
		panic("is empty")
	}
	odin.Metric("rows", 48213, "rows")
	odin.Progress(3, 10)
	ctx, outer := odin.Span(context.Background(), "outer")
	_, inner := odin.Span(ctx, "inner")
	inner.End()
	outer.End()
	odin.Result("three rows were missing", 404)
}

func halves(odin *odinlib.Odin) {
	var half, all sync.WaitGroup
	goOn := make(chan struct{})
	half.Add(threads)
	all.Add(threads)
	for thread := 0; thread < threads; thread++ {
		go func(thread int) {
			for n := 0; n < 3; n++ {
				odin.Watch("n", thread*6+n)
			}
			half.Done()
			<-goOn
			for n := 3; n < 6; n++ {
				odin.Watch("n", thread*6+n)
			}
			all.Done()
		}(thread)
	}
	half.Wait()
	seen("half", "seen")
	// Opening a pipe waits for who writes to it.
	_, err := os.ReadFile(filepath.Join(here, "go"))
	must(err)
	close(goOn)
	all.Wait()
	flush(odin)
	seen("all", "seen")
	odin.Result(fmt.Sprintf("%d values", threads*6), 200)
}

func endless(odin *odinlib.Odin) {
	seen("pid", os.Getpid())
	for n := 0; ; {
		for some := 0; some < 20; some++ {
			odin.Watch("n", n)
			n++
		}
		flush(odin)
		seen("acknowledged", n)
	}
}

func main() {
	odin, err := odinlib.Setup("fetch.yml")
	must(err)
	map[string]func(*odinlib.Odin){"types": types, "halves": halves, "endless": endless}[os.Args[1]](odin)
}
