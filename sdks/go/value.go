package odinlib

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// ValueBytesMax bounds a value's text in UTF-8, or its JSON. What is longer is cut and marked.
	ValueBytesMax = 4096
	// NameBytesMax bounds a name in UTF-8. What is longer is cut and ends with an ellipsis.
	NameBytesMax = 256

	// What is nested deeper is sent as text.
	depthMax = 64
)

// encoded is what the line of a value must say of it besides its JSON.
type encoded struct {
	typeName string
	cutFrom  int
}

// appendValue appends the JSON of any value. What JSON has no form for is sent as text.
func appendValue(out []byte, value any) ([]byte, encoded) {
	switch value := value.(type) {
	case nil:
		return append(out, "null"...), encoded{}
	case bool:
		return strconv.AppendBool(out, value), encoded{}
	case int:
		return strconv.AppendInt(out, int64(value), 10), encoded{}
	case int64:
		return strconv.AppendInt(out, value, 10), encoded{}
	case uint64:
		return strconv.AppendUint(out, value, 10), encoded{}
	case float64:
		return appendFloat(out, value, 64)
	case float32:
		return appendFloat(out, float64(value), 32)
	case string:
		return appendText(out, value, "")
	case []byte:
		return appendBytes(out, value)
	case time.Duration:
		return appendText(out, value.String(), "")
	case error:
		return appendText(out, fmt.Sprint(value), "")
	}
	return appendJSON(out, value)
}

func appendFloat(out []byte, number float64, bits int) ([]byte, encoded) {
	switch {
	case math.IsNaN(number):
		return append(out, `"NaN"`...), encoded{typeName: "number"}
	case math.IsInf(number, 1):
		return append(out, `"Infinity"`...), encoded{typeName: "number"}
	case math.IsInf(number, -1):
		return append(out, `"-Infinity"`...), encoded{typeName: "number"}
	}
	format := byte('f')
	if size := math.Abs(number); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(out, number, format, -1, bits), encoded{}
}

// appendJSON is for values of any other type.
func appendJSON(out []byte, value any) ([]byte, encoded) {
	text, err := marshal(value)
	if err != nil {
		if number, isNumber := numberOf(value); isNumber {
			return appendFloat(out, number, 64)
		}
		if text = plainJSON(value); text == nil {
			return appendText(out, asText(value, err), "")
		}
	}
	// Named types of plain ones have the bounds of those.
	if kind := reflect.ValueOf(value).Kind(); kind == reflect.String && text[0] == '"' {
		var plain string
		if json.Unmarshal(text, &plain) == nil {
			return appendText(out, plain, "")
		}
	}
	if len(text) > ValueBytesMax || depth(text) > depthMax {
		return appendText(out, string(text), "json")
	}
	return append(out, text...), encoded{}
}

func marshal(value any) (text []byte, err error) {
	defer func() {
		// Of a MarshalJSON that is not ours.
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// asText is for what JSON has no form for. fmt would never end with what contains itself.
func asText(value any, err error) string {
	var unsupported *json.UnsupportedTypeError
	switch reflect.ValueOf(value).Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Sprint(value)
	}
	if errors.As(err, &unsupported) {
		return fmt.Sprintf("<%T: no JSON for %s>", value, unsupported.Type)
	}
	return fmt.Sprintf("<%T: %s>", value, strings.TrimPrefix(err.Error(), "json: "))
}

func appendBytes(out []byte, value []byte) ([]byte, encoded) {
	if utf8.Valid(value) {
		return appendText(out, string(value), "")
	}
	kept := value[:min(len(value), (ValueBytesMax-64)/4*3)]
	out = append(out, `{"base64":"`...)
	out = append(out, base64.StdEncoding.EncodeToString(kept)...)
	out = append(out, '"')
	if len(kept) == len(value) {
		return append(out, '}'), encoded{}
	}
	out = append(out, `,"cut":`...)
	out = strconv.AppendInt(out, int64(len(value)), 10)
	return append(out, '}'), encoded{cutFrom: len(value)}
}

// appendText appends text within its bound.
func appendText(out []byte, text string, typeName string) ([]byte, encoded) {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	if len(text) <= ValueBytesMax {
		return appendString(out, text), encoded{typeName: typeName}
	}
	mark := fmt.Sprintf("… [cut: %d bytes]", len(text))
	kept := begin(text, ValueBytesMax-len(mark))
	return appendString(out, kept+mark), encoded{typeName: typeName, cutFrom: len(text)}
}

// appendName appends a name within its bound.
func appendName(out []byte, name string) []byte {
	return appendString(out, nameWithinBound(name))
}

func nameWithinBound(name string) string {
	if !utf8.ValidString(name) {
		name = strings.ToValidUTF8(name, "\ufffd")
	}
	if len(name) > NameBytesMax {
		name = begin(name, NameBytesMax-len("…")) + "…"
	}
	return name
}

// begin is the longest beginning of text that ends between characters.
func begin(text string, bytesMax int) string {
	if len(text) <= bytesMax {
		return text
	}
	for bytesMax > 0 && !utf8.RuneStart(text[bytesMax]) {
		bytesMax--
	}
	return text[:bytesMax]
}

// appendString appends valid UTF-8 as a JSON string.
func appendString(out []byte, text string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	kept := 0
	for at := 0; at < len(text); at++ {
		letter := text[at]
		if letter >= ' ' && letter != '"' && letter != '\\' {
			continue
		}
		out = append(out, text[kept:at]...)
		kept = at + 1
		switch letter {
		case '"', '\\':
			out = append(out, '\\', letter)
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			out = append(out, '\\', 'u', '0', '0', hex[letter>>4], hex[letter&15])
		}
	}
	return append(append(out, text[kept:]...), '"')
}

// depth is how deep a JSON text is nested.
func depth(text []byte) int {
	open, deepest := 0, 0
	inString := false
	for at := 0; at < len(text); at++ {
		switch letter := text[at]; {
		case inString && letter == '\\':
			at++
		case letter == '"':
			inString = !inString
		case inString:
		case letter == '[' || letter == '{':
			open++
			deepest = max(deepest, open)
		case letter == ']' || letter == '}':
			open--
		}
	}
	return deepest
}
