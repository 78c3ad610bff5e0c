package odinlib

import (
	"bytes"
	"context"
	"log/slog"
	"time"
)

// logHandler reports the lines of a log.
type logHandler struct {
	// Formats into a logLine. It has no lock while it runs code of the attributes, which may log themselves.
	text slog.Handler
	next slog.Handler
}

// LogHandler makes a handler for log/slog that reports each line as a watch named after its level, log.debug, log.info,
// log.warning or log.error, and then passes it on to next, unless that is nil.
//
//	slog.SetDefault(slog.New(odin.LogHandler(slog.NewTextHandler(os.Stderr, nil))))
//
// Next must not be the handler of slog.Default() as a program finds it: once another default is set, that one writes to
// the new default, and so to itself.
func (odin *Odin) LogHandler(next slog.Handler) slog.Handler {
	lowest := &slog.HandlerOptions{Level: slog.Level(-1 << 20)}
	return &logHandler{text: slog.NewTextHandler(logLine{odin}, lowest), next: next}
}

func (handler *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return handler.next == nil || handler.next.Enabled(ctx, level)
}

func (handler *logHandler) Handle(ctx context.Context, record slog.Record) error {
	reported := record
	// The report has its own; a handler leaves out one that is zero.
	reported.Time = time.Time{}
	err := handler.text.Handle(ctx, reported)
	if handler.next == nil {
		return err
	}
	return handler.next.Handle(ctx, record)
}

// logLine takes the lines of a [slog.TextHandler], each in one call.
type logLine struct{ odin *Odin }

var levelKey = []byte(slog.LevelKey + "=")

// Write reports a line that begins with its level, as all do that have no time.
func (to logLine) Write(line []byte) (int, error) {
	level, text, _ := bytes.Cut(bytes.TrimPrefix(line, levelKey), []byte(" "))
	var parsed slog.Level
	if err := parsed.UnmarshalText(level); err != nil {
		return 0, err
	}
	to.odin.Watch(logName(parsed), string(bytes.TrimSuffix(text, []byte("\n"))))
	return len(line), nil
}

func (handler *logHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	with := *handler
	with.text = handler.text.WithAttrs(attributes)
	if handler.next != nil {
		with.next = handler.next.WithAttrs(attributes)
	}
	return &with
}

func (handler *logHandler) WithGroup(name string) slog.Handler {
	with := *handler
	with.text = handler.text.WithGroup(name)
	if handler.next != nil {
		with.next = handler.next.WithGroup(name)
	}
	return &with
}

func logName(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "log.error"
	case level >= slog.LevelWarn:
		return "log.warning"
	case level >= slog.LevelInfo:
		return "log.info"
	}
	return "log.debug"
}
