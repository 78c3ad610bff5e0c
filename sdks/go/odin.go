// Package odinlib reports what a job sees while it runs, to the Odin that runs it.
//
//	odin, _ := odinlib.Setup("fetch.yml")
//	odin.Watch("url fetched", url)
//	if odin.Condition("check if url is empty", url != "") {
//		odin.Result("fetched successfully", 0)
//	}
//	odin.Result("failure when fetching", 1)
//
// Outside Odin every call returns what it would inside and does nothing else; with ODIN_MOCK=1, or after [Odin.Mock], it
// says on stderr what it would have reported. Neither a server nor a job file is needed.
//
// No call waits for Odin but [Odin.Flush], [Odin.Close] and [Odin.Result], which wait until everything is acknowledged,
// [EndWithin] at most. A program that ends without [Odin.Result] should end with Close, or it leaves behind what was
// reported in its last millisecond:
//
//	defer odin.Close()
package odinlib

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoToken says that the socket of ODIN_SOCKET is there and ODIN_RUN_TOKEN is not: Odin will refuse what is reported.
var ErrNoToken = errors.New("odinlib: ODIN_SOCKET is set and ODIN_RUN_TOKEN is not: was the environment of the run passed on whole?")

// client is what all Odins of a process share.
type client struct {
	link   *link // nil outside Odin
	isMock atomic.Bool
}

var ofProcess = sync.OnceValue(func() *client {
	shared := new(client)
	socket := os.Getenv("ODIN_SOCKET")
	if _, err := os.Stat(socket); socket != "" && err == nil {
		shared.link = newLink(socket, os.Getenv("ODIN_RUN_TOKEN"))
	}
	mock := os.Getenv("ODIN_MOCK")
	shared.isMock.Store(mock != "" && mock != "0")
	return shared
})

// Odin reports what a program sees. All Odins of a process share one connection, and any goroutine may use them.
type Odin struct {
	client *client
	config string
}

// Setup gives the Odin of a program whose job file is config. The file is not read and need not be there: a run knows its job.
// The Odin works whatever the error, which is nil or [ErrNoToken].
func Setup(config string) (*Odin, error) {
	odin := &Odin{client: ofProcess(), config: config}
	if odin.IsInside() && os.Getenv("ODIN_RUN_TOKEN") == "" {
		return odin, ErrNoToken
	}
	return odin, nil
}

// Config is the name given to [Setup].
func (odin *Odin) Config() string { return odin.config }

// IsInside tells whether Odin runs this program: whether the socket that ODIN_SOCKET names was there at the first Setup.
func (odin *Odin) IsInside() bool { return odin.client.link != nil }

// Mock makes an Odin that is outside say on stderr what would be reported, as ODIN_MOCK=1 does. Inside it changes nothing.
func (odin *Odin) Mock() { odin.client.isMock.Store(true) }

// Watch reports a value under a name. Numbers, booleans, text and what encoding/json has a form for keep their type; bytes
// are text when they are UTF-8; anything else is sent as the text that fmt prints for it. In a map, a list or a struct only what
// has no form in JSON becomes text.
func (odin *Odin) Watch(name string, value any) {
	odin.send(report{kind: "watch", name: name, value: value})
}

// Condition reports whether something holds, and returns that.
func (odin *Odin) Condition(name string, holds bool) bool {
	odin.send(report{kind: "condition", name: name, value: holds})
	return holds
}

// Result reports what came of the program and ends it. Status, a number or text, is a success when it is 0 or 200 to 299, a
// warning when it is 400 to 499, and else a failure; an empty text is none, which is success. The exit code is 1 for a failure, else 0. Deferred functions do not run.
func (odin *Odin) Result(message string, status any) {
	// What is cut means what Odin sees of it.
	text := nameWithinBound(fmt.Sprint(status))
	last := report{kind: "result", name: message, value: status, status: text, hasStatus: true}
	odin.sendAs(last, true)
	odin.Close()
	if outcome(text) == "failure" {
		os.Exit(1)
	}
	os.Exit(0)
}

// Progress reports how far the program is. A total below zero is one that nobody knows.
func (odin *Odin) Progress(done, total int64) {
	value := struct {
		Done  int64  `json:"done"`
		Total *int64 `json:"total"`
	}{Done: done}
	if total >= 0 {
		value.Total = &total
	}
	odin.send(report{kind: "progress", name: "progress", value: value})
}

// Metric reports a number with its unit, for example "ms" or "bytes"; an empty unit is none.
func (odin *Odin) Metric(name string, value any, unit string) {
	odin.send(report{kind: "metric", name: name, value: value, unit: unit})
}

// Artifact reports a file that the program made: where it is and how many bytes it has. The file stays where it is. One that
// cannot be looked at is reported with the error.
func (odin *Odin) Artifact(path string) {
	value := struct {
		Path  string `json:"path"`
		Bytes *int64 `json:"bytes,omitempty"`
		Error string `json:"error,omitempty"`
	}{Path: path}
	if whole, err := filepath.Abs(path); err == nil {
		value.Path = whole
	}
	file, err := os.Stat(path)
	var pathError *fs.PathError
	switch {
	case err == nil:
		size := file.Size()
		value.Bytes = &size
	case errors.As(err, &pathError):
		value.Error = pathError.Err.Error()
	default:
		value.Error = err.Error()
	}
	odin.send(report{kind: "artifact", name: filepath.Base(path), value: value})
}

// Flush waits until everything reported so far is acknowledged, within this time at most, and says what is not.
func (odin *Odin) Flush(within time.Duration) Delivery {
	if odin.client.link == nil {
		return Delivery{}
	}
	return odin.client.link.flush(within)
}

// Close waits for the acknowledgements, [EndWithin] at most, and says on stderr what is missing. What is reported afterwards
// still goes out.
func (odin *Odin) Close() {
	if delivery := odin.Flush(EndWithin); delivery.Undelivered > 0 {
		fmt.Fprintln(os.Stderr, "odin:", delivery)
	}
}

func (odin *Odin) send(report report) { odin.sendAs(report, false) }

func (odin *Odin) sendAs(report report, always bool) {
	if link := odin.client.link; link != nil {
		link.send(report.restOfLine(time.Now()), always)
	} else if odin.client.isMock.Load() {
		fmt.Fprintln(os.Stderr, report.lineForPeople())
	}
}
