package odinlib

import (
	"strconv"
	"time"
)

const (
	// QueueReportsMax bounds the reports that wait for their acknowledgement. At the bound new ones are dropped and counted;
	// the count is reported as the value odin.reports_dropped once there is room, and on stderr at the end.
	QueueReportsMax = 10_000
	// QueueBytesMax bounds their bytes, with the same at the bound.
	QueueBytesMax = 8 << 20

	droppedName = "odin.reports_dropped"
)

// queue holds the reports that nobody has acknowledged yet.
type queue struct {
	// The rests of lines, oldest first. The first sent of them went out on this connection.
	waiting [][]byte
	bytes   int
	sent    int
	// The number of the last report that was acknowledged on this connection; they count from 1.
	acknowledged    uint64
	dropped         int
	droppedReported int
}

// push takes a report, or counts it as dropped.
func (queue *queue) push(restOfLine []byte, always bool) bool {
	isFull := len(queue.waiting) >= QueueReportsMax || queue.bytes+len(restOfLine) > QueueBytesMax
	if isFull && !always {
		queue.dropped++
		return false
	}
	queue.bytes += len(restOfLine)
	queue.waiting = append(queue.waiting, restOfLine)
	return true
}

func (queue *queue) hasUnsent() bool { return queue.sent < len(queue.waiting) }

func (queue *queue) isEmpty() bool { return len(queue.waiting) == 0 }

// appendLines appends the next lines until out has so many bytes or there are no more.
func (queue *queue) appendLines(out []byte, bytes int) []byte {
	for len(out) < bytes && queue.hasUnsent() {
		rest := queue.waiting[queue.sent]
		queue.sent++
		out = append(out, `{"seq":`...)
		out = strconv.AppendUint(out, queue.acknowledged+uint64(queue.sent), 10)
		out = append(append(out, ','), rest...)
	}
	return out
}

// acknowledge takes everything up to number seq of this connection as safe.
func (queue *queue) acknowledge(seq uint64) {
	count := 0
	// A number that was never sent acknowledges what was.
	for queue.acknowledged < seq && count < queue.sent {
		queue.bytes -= len(queue.waiting[count])
		queue.waiting[count] = nil
		queue.acknowledged++
		count++
	}
	queue.sent -= count
	queue.waiting = queue.waiting[count:]
	if len(queue.waiting) == 0 {
		queue.waiting = nil
	}
}

// beginAgain makes the next connection get everything that is not acknowledged, counted from 1.
func (queue *queue) beginAgain() {
	queue.sent = 0
	queue.acknowledged = 0
}

// reportDropped reports how many were dropped, when that is news and there is room again.
func (queue *queue) reportDropped(now time.Time) {
	if queue.dropped > queue.droppedReported && len(queue.waiting) < QueueReportsMax/2 {
		queue.droppedReported = queue.dropped
		report := report{kind: "watch", name: droppedName, value: queue.dropped}
		queue.push(report.restOfLine(now), true)
	}
}
