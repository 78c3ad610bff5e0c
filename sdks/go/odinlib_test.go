package odinlib

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

type line struct {
	Seq   uint64
	Kind  string
	Name  string
	Value any
	Type  string
}

// inside plays a function against an engine that acknowledges everything, and gives what came.
func inside(t *testing.T, play func(odin *Odin)) []line {
	t.Helper()
	path := filepath.Join(t.TempDir(), "values.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var mutex sync.Mutex
	var lines []line
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			scanner := bufio.NewScanner(connection)
			scanner.Scan()
			fmt.Fprintln(connection, `{"ok":true}`)
			for scanner.Scan() {
				var line line
				decoder := json.NewDecoder(strings.NewReader(scanner.Text()))
				decoder.UseNumber()
				if err := decoder.Decode(&line); err != nil {
					t.Error(err)
				}
				mutex.Lock()
				lines = append(lines, line)
				mutex.Unlock()
				fmt.Fprintf(connection, "{\"ack\":%d}\n", line.Seq)
			}
		}
	}()
	odin := &Odin{client: &client{link: newLink(path, "t")}}
	play(odin)
	if delivery := odin.Flush(time.Minute); delivery.Undelivered > 0 {
		t.Error(delivery)
	}
	mutex.Lock()
	defer mutex.Unlock()
	return lines
}

type hostile struct{}

func (hostile) MarshalJSON() ([]byte, error) { panic("no") }

type celsius float64

type name string

func TestValuesOfAnyTypeArrive(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	values := []struct {
		value    any
		expected string
	}{
		{int64(math.MinInt64), "-9223372036854775808"},
		{uint8(200), "200"},
		{float32(0.1), "0.1"},
		{celsius(1.5), "1.5"},
		{name("a"), `"a"`},
		{struct{ A, b int }{1, 2}, `{"A":1}`},
		{[]string{"<&>"}, `["<&>"]`},
		{map[int]bool{1: true}, `{"1":true}`},
		{errors.New("e"), `"e"`},
		{1500 * time.Millisecond, `"1.5s"`},
		{"\xff", `"` + "\ufffd" + `"`},
		{json.RawMessage(`{"a":1}`), `{"a":1}`},
		{celsius(math.NaN()), `"NaN"`},
		{2i, `"(0+2i)"`},
		{cyclic, `"<map[string]interface {}: unsupported value: encountered a cycle via map[string]interface {}>"`},
		{hostile{}, `"<odinlib.hostile: panic: no>"`},
		{map[string]chan int{"a": nil}, `"<map[string]chan int: no JSON for chan int>"`},
	}
	for _, it := range values {
		if seen, _ := appendValue(nil, it.value); string(seen) != it.expected {
			t.Errorf("%T: %s is not %s", it.value, seen, it.expected)
		}
	}
}

func TestLinesOfALogHaveTheirAttributesAndArePassedOn(t *testing.T) {
	var passed strings.Builder
	lines := inside(t, func(odin *Odin) {
		next := slog.NewTextHandler(&passed, &slog.HandlerOptions{Level: slog.LevelInfo})
		log := slog.New(odin.LogHandler(next)).With("job", 1).WithGroup("g")
		log.Debug("not asked for")
		log.Warn("a b", "k", "v")
	})
	seen := fmt.Sprint(lines)
	if len(lines) != 1 || lines[0].Name != "log.warning" || lines[0].Value != `msg="a b" job=1 g.k=v` {
		t.Error(seen)
	}
	if !strings.Contains(passed.String(), `level=WARN msg="a b" job=1 g.k=v`) {
		t.Error(passed.String())
	}
}

func TestSpansNestByTheirContextsAndEndOnce(t *testing.T) {
	lines := inside(t, func(odin *Odin) {
		ctx, outer := odin.Span(context.Background(), "outer")
		var group sync.WaitGroup
		for _, name := range []string{"a", "b"} {
			name := name
			group.Add(1)
			go func() {
				defer group.Done()
				_, span := odin.Span(ctx, name)
				span.Fail(nil)
				span.Fail(errors.New(name))
				span.End()
				span.End()
			}()
		}
		group.Wait()
		outer.End()
	})
	names := map[any]string{}
	for _, line := range lines {
		names[line.Value.(map[string]any)["id"]] = line.Name
	}
	var seen []string
	for _, line := range lines {
		value := line.Value.(map[string]any)
		seen = append(seen, fmt.Sprint(line.Name, " in ", names[value["parent"]], ": ", value["error"]))
	}
	slices.Sort(seen)
	if fmt.Sprint(seen) != "[a in outer: a b in outer: b outer in : <nil>]" {
		t.Error(seen)
	}
}

// The README's programs are built and run as they are.
func TestTheSnippetsOfTheReadmeRun(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(snippets) != 2 {
		t.Fatal(len(snippets))
	}
	const module = "github.com/theycallmemac/odin/odin-libraries/go/odinlib"
	for _, snippet := range snippets {
		folder := t.TempDir()
		manifest := "module snippet\n\ngo 1.21\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + here + "\n"
		for file, text := range map[string]string{"go.mod": manifest, "main.go": snippet[1]} {
			if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		run := exec.Command("go", "run", ".")
		run.Dir = folder
		run.Env = append(os.Environ(), "ODIN_MOCK=1", "ODIN_SOCKET=")
		output, err := run.CombinedOutput()
		if err != nil || !strings.Contains(string(output), "odin: ") {
			t.Errorf("%v: %s", err, output)
		}
	}
}
