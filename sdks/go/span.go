package odinlib

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// An error's text in a span, at most; what is longer is cut.
const spanErrorBytesMax = 1024

type openSpan struct{}

// Span is a named length of time. It is reported at its end.
type Span struct {
	odin   *Odin
	name   string
	id     string
	parent *string
	began  time.Time
	mutex  sync.Mutex
	reason *string
	isOver bool
}

type trace struct {
	id     string
	parent *string
}

// ofTrace is the trace of this process, and the span in it that the process is, by TRACEPARENT (W3C Trace Context).
var ofTrace = sync.OnceValue(func() trace {
	form := regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$`)
	found := form.FindStringSubmatch(os.Getenv("TRACEPARENT"))
	if found == nil || strings.Trim(found[1], "0") == "" || strings.Trim(found[2], "0") == "" {
		return trace{id: newID(16)}
	}
	return trace{id: found[1], parent: &found[2]}
})

// Span begins a span, a child of the one that ctx is in. What is done with the returned context is in it:
//
//	ctx, span := odin.Span(ctx, "load")
//	defer span.End()
func (odin *Odin) Span(ctx context.Context, name string) (context.Context, *Span) {
	span := &Span{odin: odin, name: name, id: newID(8), parent: ofTrace().parent, began: time.Now()}
	if outer, ok := ctx.Value(openSpan{}).(*Span); ok {
		span.parent = &outer.id
	}
	return context.WithValue(ctx, openSpan{}, span), span
}

// Fail marks what the span is about as failed, with the reason. Nil is no failure.
func (span *Span) Fail(err error) {
	if err == nil {
		return
	}
	reason := begin(fmt.Sprint(err), spanErrorBytesMax)
	span.mutex.Lock()
	defer span.mutex.Unlock()
	span.reason = &reason
}

// End ends the span and reports it. Further calls do nothing.
func (span *Span) End() {
	span.mutex.Lock()
	defer span.mutex.Unlock()
	if span.isOver {
		return
	}
	span.isOver = true
	value := struct {
		ID      string  `json:"id"`
		Parent  *string `json:"parent"`
		Trace   string  `json:"trace"`
		Start   string  `json:"start"`
		Seconds float64 `json:"seconds"`
		Error   *string `json:"error"`
	}{
		ID:      span.id,
		Parent:  span.parent,
		Trace:   ofTrace().id,
		Start:   string(appendInstant(nil, span.began)),
		Seconds: time.Since(span.began).Seconds(),
		Error:   span.reason,
	}
	span.odin.send(report{kind: "span", name: span.name, value: value})
}

func newID(bytes int) string {
	id := make([]byte, bytes)
	// The kernel's generator does not fail on systems that Odin runs on.
	_, _ = rand.Read(id)
	return hex.EncodeToString(id)
}
