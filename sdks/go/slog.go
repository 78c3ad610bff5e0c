package odinlib

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
)

// logHandler reports the lines of a log.
type logHandler struct {
	odin *Odin
	// Writes into line, which is guarded by mutex; handlers made from this one share both.
	text  slog.Handler
	mutex *sync.Mutex
	line  *bytes.Buffer
	next  slog.Handler
}

// LogHandler makes a handler for log/slog that reports each line as a watch named after its level, log.debug, log.info,
// log.warning or log.error, and then passes it on to next, unless that is nil.
//
//	slog.SetDefault(slog.New(odin.LogHandler(slog.NewTextHandler(os.Stderr, nil))))
func (odin *Odin) LogHandler(next slog.Handler) slog.Handler {
	line := new(bytes.Buffer)
	text := slog.NewTextHandler(line, &slog.HandlerOptions{
		Level: slog.Level(-1 << 20),
		ReplaceAttr: func(groups []string, attribute slog.Attr) slog.Attr {
			// The report has both.
			if len(groups) == 0 && (attribute.Key == slog.LevelKey || attribute.Key == slog.TimeKey) {
				return slog.Attr{}
			}
			return attribute
		},
	})
	return &logHandler{odin: odin, text: text, mutex: new(sync.Mutex), line: line, next: next}
}

func (handler *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return handler.next == nil || handler.next.Enabled(ctx, level)
}

func (handler *logHandler) Handle(ctx context.Context, record slog.Record) error {
	handler.mutex.Lock()
	handler.line.Reset()
	err := handler.text.Handle(ctx, record)
	line := strings.TrimSuffix(handler.line.String(), "\n")
	handler.mutex.Unlock()
	if err == nil {
		handler.odin.Watch(logName(record.Level), line)
	}
	if handler.next == nil {
		return err
	}
	return handler.next.Handle(ctx, record)
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
