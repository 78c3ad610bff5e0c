package odinlib

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// report is what a program says once.
type report struct {
	kind  string
	name  string
	value any
	// Of a result.
	status    string
	hasStatus bool
	// Of a metric.
	unit string
}

// restOfLine is the line of a report, all but its number, which depends on the connection.
func (report report) restOfLine(at time.Time) []byte {
	line := make([]byte, 0, 160)
	line = append(line, `"at":"`...)
	line = appendInstant(line, at)
	line = append(line, `","kind":"`...)
	line = append(line, report.kind...)
	line = append(line, `","name":`...)
	line = appendName(line, report.name)
	line = append(line, `,"value":`...)
	line, encoded := appendValue(line, report.value)
	if report.hasStatus {
		line = append(line, `,"status":`...)
		line = appendName(line, report.status)
	}
	if report.unit != "" {
		line = append(line, `,"unit":`...)
		line = appendName(line, report.unit)
	}
	if encoded.typeName != "" {
		line = append(line, `,"type":`...)
		line = appendString(line, encoded.typeName)
	}
	if encoded.cutFrom > 0 {
		line = append(line, `,"cut":`...)
		line = strconv.AppendInt(line, int64(encoded.cutFrom), 10)
	}
	return append(line, "}\n"...)
}

// lineForPeople is what mock says of a report, all in printable characters.
func (report report) lineForPeople() string {
	line := []byte("odin: " + report.kind + " ")
	line = append(appendName(line, report.name), " = "...)
	line, _ = appendValue(line, report.value)
	if report.unit != "" {
		line = append(append(line, ' '), begin(report.unit, NameBytesMax)...)
	}
	if report.kind == "result" {
		line = append(line, fmt.Sprintf(" (%s)", outcome(report.status))...)
	}
	// JSON leaves some of the characters alone that terminals obey.
	var shown strings.Builder
	for _, letter := range string(line) {
		if unicode.IsControl(letter) {
			fmt.Fprintf(&shown, "\\u%04x", letter)
		} else {
			shown.WriteRune(letter)
		}
	}
	return shown.String()
}

// outcome is what a result's status says of the run: success, warning or failure. It reads as Odin does: ASCII digits that
// may have a plus before them and spaces around them, and nothing is success.
func outcome(status string) string {
	status = strings.TrimSpace(status)
	if status == "" {
		return "success"
	}
	number, err := strconv.ParseUint(strings.TrimPrefix(status, "+"), 10, 16)
	switch {
	case err != nil:
		return "failure"
	case number == 0 || 200 <= number && number <= 299:
		return "success"
	case 400 <= number && number <= 499:
		return "warning"
	}
	return "failure"
}

// appendInstant appends an instant as RFC 3339 in UTC with microseconds.
func appendInstant(out []byte, at time.Time) []byte {
	return at.UTC().AppendFormat(out, "2006-01-02T15:04:05.000000Z")
}
