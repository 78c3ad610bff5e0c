// Makes the calls of a case with the Go SDK. What comes back is printed as lines of JSON.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/theycallmemac/odin/odin-libraries/go/odinlib"
)

type step map[string]json.RawMessage

var stdin = bufio.NewReader(os.Stdin)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func read[T any](text json.RawMessage) (value T) {
	must(json.Unmarshal(text, &value))
	return value
}

func valueOf(text json.RawMessage) any {
	for kind, what := range read[map[string]json.RawMessage](text) {
		switch kind {
		case "int":
			digits := read[string](what)
			if number, err := strconv.ParseInt(digits, 10, 64); err == nil {
				return number
			}
			number, err := strconv.ParseUint(digits, 10, 64)
			must(err)
			return number
		case "float":
			number, err := strconv.ParseFloat(read[string](what), 64)
			must(err)
			return number
		case "repeat":
			pair := read[[2]any](what)
			return strings.Repeat(pair[0].(string), int(pair[1].(float64)))
		case "bytes":
			bytes, err := base64.StdEncoding.DecodeString(read[string](what))
			must(err)
			return bytes
		case "bytes_repeat":
			pair := read[[2]int](what)
			return []byte(strings.Repeat(string([]byte{byte(pair[0])}), pair[1]))
		case "list":
			list := make([]int, read[int](what))
			for at := range list {
				list[at] = 1
			}
			return list
		case "deep":
			value := []any{}
			for range make([]struct{}, read[int](what)-1) {
				value = []any{value}
			}
			return value
		case "null":
			return nil
		default:
			return read[any](what)
		}
	}
	panic("no value")
}

func nameOf(text json.RawMessage) string {
	if text[0] == '{' {
		return valueOf(text).(string)
	}
	return read[string](text)
}

func say(key string, value any) {
	text, err := json.Marshal(map[string]any{key: value})
	must(err)
	fmt.Println(string(text))
}

func play(ctx context.Context, odin *odinlib.Odin, steps []step) {
	for _, step := range steps {
		for call, what := range step {
			playOne(ctx, odin, call, what)
		}
	}
}

func playOne(ctx context.Context, odin *odinlib.Odin, call string, what json.RawMessage) {
	parts := func() []json.RawMessage { return read[[]json.RawMessage](what) }
	switch call {
	case "watch":
		odin.Watch(nameOf(parts()[0]), valueOf(parts()[1]))
	case "condition":
		say("returned", odin.Condition(read[string](parts()[0]), read[bool](parts()[1])))
	case "result":
		var status any = 0
		if len(parts()) > 1 {
			status = read[any](parts()[1])
		}
		odin.Result(read[string](parts()[0]), status)
	case "progress":
		total := int64(-1)
		if len(parts()) > 1 {
			total = read[int64](parts()[1])
		}
		odin.Progress(read[int64](parts()[0]), total)
	case "metric":
		odin.Metric(read[string](parts()[0]), valueOf(parts()[1]), read[string](parts()[2]))
	case "artifact":
		odin.Artifact(read[string](what))
	case "span":
		inner := read[struct {
			Name  string
			Error string
			Steps []step
		}](what)
		inside, span := odin.Span(ctx, inner.Name)
		play(inside, odin, inner.Steps)
		if inner.Error != "" {
			span.Fail(errors.New(inner.Error))
		}
		span.End()
	case "log":
		levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn, "error": slog.LevelError}
		pair := read[[2]string](what)
		slog.New(odin.LogHandler(nil)).Log(ctx, levels[pair[0]], pair[1])
	case "mock":
		odin.Mock()
	case "many":
		many := read[struct {
			Name  string
			Value json.RawMessage
			Count int
		}](what)
		for at := 0; at < many.Count; at++ {
			odin.Watch(many.Name, valueOf(many.Value))
		}
	case "threads":
		threads := read[struct{ Count, Each int }](what)
		var group sync.WaitGroup
		group.Add(threads.Count)
		for thread := 0; thread < threads.Count; thread++ {
			go func() {
				defer group.Done()
				for number := 0; number < threads.Each; number++ {
					odin.Watch("t", number)
				}
			}()
		}
		group.Wait()
	case "child":
		child := exec.Command(os.Args[0], fmt.Sprintf(`{"steps":%s}`, what))
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		must(child.Run())
	case "flush":
		say("undelivered", odin.Flush(time.Duration(read[int](what))*time.Millisecond).Undelivered)
	case "signal":
		say("signal", read[string](what))
		_, _ = stdin.ReadString('\n')
	case "pause":
		time.Sleep(time.Duration(read[int](what)) * time.Millisecond)
	case "forever":
		for number := 0; ; number++ {
			odin.Watch(read[string](what), number)
		}
	case "crash":
		must(syscall.Kill(os.Getpid(), syscall.SIGKILL))
	default:
		panic(call)
	}
}

func main() {
	odin, err := odinlib.Setup("contract.yml")
	must(err)
	defer odin.Close()
	play(context.Background(), odin, read[struct{ Steps []step }](json.RawMessage(os.Args[1])).Steps)
}
