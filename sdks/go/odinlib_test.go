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
		{hostile{}, `"<odinlib.hostile: panic: no>"`},
	}
	for _, it := range values {
		if seen, _ := appendValue(nil, it.value); string(seen) != it.expected {
			t.Errorf("%T: %s is not %s", it.value, seen, it.expected)
		}
	}
}

type embedded struct{ Inner float64 }

type tree struct {
	Name  string
	Above *tree `json:",omitempty"`
	Twice []*tree
}

// What JSON has no form for is text, and all that stands beside it stays what it is.
func TestOnlyWhatJSONHasNoFormForBecomesText(t *testing.T) {
	nan := math.NaN()
	cyclic := map[string]any{"b": 5}
	cyclic["self"] = cyclic
	loop := &tree{Name: "a"}
	loop.Above = loop
	var deep any = nan
	for range make([]struct{}, 100) {
		deep = []any{deep}
	}
	// Each refers to the one before it twice: walked whole, it would have 2^60 leaves.
	many := &tree{}
	for range make([]struct{}, 60) {
		many = &tree{Twice: []*tree{many, many}}
	}
	cases := []struct {
		value    any
		expected string
		typeName string
	}{
		{celsius(nan), `"NaN"`, "number"},
		{&nan, `"NaN"`, "number"},
		{map[string]any{"a": nan, "b": 5, "c": []any{"d", math.Inf(-1)}}, `{"a":"NaN","b":5,"c":["d","-Infinity"]}`, ""},
		{[]float32{0.1, float32(math.Inf(1))}, `[0.1,"Infinity"]`, ""},
		{struct {
			A int
			f func()
			C chan int
			D func()
			E complex64
		}{A: 1}, `{"A":1,"C":null,"D":null,"E":"(0+0i)"}`, ""},
		{map[any]any{1: "a", true: nil, "k": map[any]any{2.5: 1}}, `{"1":"a","k":{"2.5":1},"true":null}`, ""},
		{map[string]chan int{"a": nil}, `{"a":null}`, ""},
		{struct {
			embedded
			Named embedded `json:"n"`
			Skip  int      `json:"-"`
			Dash  int      `json:"-,"`
			Empty string   `json:"e,omitempty"`
			Zero  [2]int   `json:",omitzero"`
			Text  int64    `json:"t,string"`
			When  time.Time
			Raw   json.RawMessage
			Bytes []byte
			Bad   any
		}{
			embedded: embedded{nan}, Text: 7, When: time.Unix(0, 0).UTC(), Raw: json.RawMessage(`{"r":1}`),
			Bytes: []byte("a"), Bad: hostile{},
		}, `{"Inner":"NaN","n":{"Inner":0},"-":0,"t":"7","When":"1970-01-01T00:00:00Z","Raw":{"r":1},"Bytes":"YQ==",` +
			`"Bad":"<odinlib.hostile: panic: no>"}`, ""},
		{cyclic, `{"b":5,"self":"<map[string]interface {}: contains itself>"}`, ""},
		{loop, `{"Name":"a","Above":"<*odinlib.tree: contains itself>","Twice":null}`, ""},
		{deep, strings.Repeat("[", 64) + `"<[]interface {}: nested deeper than 64>"` + strings.Repeat("]", 64), ""},
	}
	for _, it := range cases {
		seen, encoded := appendValue(nil, it.value)
		if string(seen) != it.expected || encoded.typeName != it.typeName {
			t.Errorf("%T: %s %q is not %s %q", it.value, seen, encoded.typeName, it.expected, it.typeName)
		}
	}
	if seen := plainJSON(many); len(seen) > plainBytesMax*2 || !json.Valid(seen) {
		t.Error(len(seen))
	}
}

// It is Odin's reading: a program's exit code and its run's outcome are the same.
func TestAStatusMeansWhatItMeansToOdin(t *testing.T) {
	cases := map[string]string{
		"": "success", " \u0085\u3000": "success", "0": "success", " 204 ": "success", "+200": "success", "0200": "success",
		"404": "warning", "2_00": "failure", "٢٠٠": "failure", "-0": "failure", "++200": "failure", "200.0": "failure",
		"0x0": "failure", "65736": "failure", "1": "failure", "\ufeff200": "failure",
	}
	for status, expected := range cases {
		if seen := outcome(status); seen != expected {
			t.Errorf("%q: %s is not %s", status, seen, expected)
		}
	}
}

type logsItself struct{ log *slog.Logger }

func (value logsItself) LogValue() slog.Value {
	value.log.Info("looked at")
	return slog.StringValue("v")
}

func (value logsItself) String() string {
	value.log.Info("printed")
	return "s"
}

func TestWhatLogsWhileItIsLoggedIsLogged(t *testing.T) {
	lines := inside(t, func(odin *Odin) {
		var passed strings.Builder
		log := slog.New(odin.LogHandler(slog.NewTextHandler(&passed, nil)))
		log.With("with", struct{ fmt.Stringer }{logsItself{log}}).Info("a", "x", logsItself{log})
		log.Info("b", "y", struct{ fmt.Stringer }{logsItself{log}})
	})
	var last []any
	for _, line := range lines {
		if text := line.Value.(string); strings.HasPrefix(text, "msg=a") || strings.HasPrefix(text, "msg=b") {
			last = append(last, text)
		}
	}
	if fmt.Sprint(last) != "[msg=a with=s x=v msg=b y=s]" {
		t.Error(lines)
	}
}

func TestAttributesNamedAsALinesOwnAreKept(t *testing.T) {
	lines := inside(t, func(odin *Odin) {
		log := slog.New(odin.LogHandler(nil))
		log.Log(context.Background(), slog.LevelWarn+2, "", "time", "x", "level", "y")
		log.Info("m", "level", slog.LevelError, "time", time.Unix(0, 0).UTC())
	})
	seen := make([]string, 0, 2)
	for _, line := range lines {
		seen = append(seen, fmt.Sprint(line.Name, ": ", line.Value))
	}
	expected := `["log.warning: msg=\"\" time=x level=y" "log.info: msg=m level=ERROR time=1970-01-01T00:00:00.000Z"]`
	if fmt.Sprintf("%q", seen) != expected {
		t.Errorf("%q", seen)
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
