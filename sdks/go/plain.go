package odinlib

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// What is walked of a value that encoding/json refuses. Far more than is sent of one; it bounds what refers to the same many
// times.
const plainBytesMax = 1 << 20

// numberOf is the number that a value is, by its name or a pointer, when encoding/json has refused it.
func numberOf(value any) (float64, bool) {
	it := reflect.ValueOf(value)
	for it.Kind() == reflect.Pointer && !it.IsNil() && !hasForm(it) {
		it = it.Elem()
	}
	if it.CanFloat() && !hasForm(it) {
		return it.Float(), true
	}
	return 0, false
}

// plainJSON is the JSON of a container in which something has none: that alone becomes text, all else stays as encoding/json
// has it. Nil when value is no container, or one that encodes itself.
func plainJSON(value any) (text []byte) {
	defer func() {
		// Of code that is not ours.
		if recover() != nil {
			text = nil
		}
	}()
	it := reflect.ValueOf(value)
	for it.Kind() == reflect.Pointer && !it.IsNil() && !hasForm(it) {
		it = it.Elem()
	}
	switch it.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		if hasForm(it) {
			return nil
		}
		walk := plain{inside: map[visit]bool{}}
		walk.value(reflect.ValueOf(value), 0)
		return walk.out
	}
	return nil
}

// hasForm says whether a value has code of its own that makes its JSON.
func hasForm(it reflect.Value) bool {
	if !it.CanInterface() {
		return false
	}
	switch it.Interface().(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return true
	}
	if !it.CanAddr() {
		return false
	}
	switch it.Addr().Interface().(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return true
	}
	return false
}

// visit is a place that a walk is inside of.
type visit struct {
	at     uintptr
	length int
	kind   reflect.Type
}

type plain struct {
	out    []byte
	inside map[visit]bool
}

func (walk *plain) text(text string) {
	walk.out = appendString(walk.out, strings.ToValidUTF8(text, "\ufffd"))
}

// value appends any value, depth containers deep.
func (walk *plain) value(it reflect.Value, depth int) {
	if len(walk.out) > plainBytesMax {
		walk.out = append(walk.out, "null"...)
		return
	}
	switch it.Kind() {
	case reflect.Invalid:
		walk.out = append(walk.out, "null"...)
		return
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		if it.IsNil() {
			walk.out = append(walk.out, "null"...)
			return
		}
	}
	if hasForm(it) {
		walk.ownForm(it)
		return
	}
	switch it.Kind() {
	case reflect.Interface:
		walk.value(it.Elem(), depth)
	case reflect.Pointer:
		walk.within(it, 0, func() { walk.value(it.Elem(), depth) })
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		if depth == depthMax {
			walk.text(fmt.Sprintf("<%s: nested deeper than %d>", it.Type(), depthMax))
			return
		}
		walk.container(it, depth+1)
	case reflect.Float32, reflect.Float64:
		walk.out, _ = appendFloat(walk.out, it.Float(), it.Type().Bits())
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		walk.text(fmt.Sprint(it))
	default:
		walk.ownForm(it)
	}
}

func (walk *plain) container(it reflect.Value, depth int) {
	switch it.Kind() {
	case reflect.Struct:
		walk.fields(it, depth)
	case reflect.Map:
		walk.within(it, 0, func() { walk.entries(it, depth) })
	case reflect.Slice:
		if it.Type().Elem().Kind() == reflect.Uint8 {
			walk.ownForm(it)
			return
		}
		walk.within(it, it.Len(), func() { walk.elements(it, depth) })
	case reflect.Array:
		walk.elements(it, depth)
	}
}

// within does something inside of what a reference refers to, unless the walk is in there already.
func (walk *plain) within(it reflect.Value, length int, do func()) {
	place := visit{at: it.Pointer(), length: length, kind: it.Type()}
	if walk.inside[place] {
		walk.text(fmt.Sprintf("<%s: contains itself>", it.Type()))
		return
	}
	walk.inside[place] = true
	do()
	delete(walk.inside, place)
}

// ownForm appends what encoding/json makes of a value that holds no others, or that has code of its own for it.
func (walk *plain) ownForm(it reflect.Value) {
	value := it.Interface()
	if it.CanAddr() {
		value = it.Addr().Interface()
	}
	text, err := marshal(value)
	if err != nil {
		walk.text(asText(it.Interface(), err))
		return
	}
	walk.out = append(walk.out, text...)
}

func (walk *plain) elements(it reflect.Value, depth int) {
	walk.out = append(walk.out, '[')
	for at := 0; at < it.Len() && len(walk.out) <= plainBytesMax; at++ {
		if at > 0 {
			walk.out = append(walk.out, ',')
		}
		walk.value(it.Index(at), depth)
	}
	walk.out = append(walk.out, ']')
}

func (walk *plain) entries(it reflect.Value, depth int) {
	type entry struct {
		key   string
		value reflect.Value
	}
	entries := make([]entry, 0, it.Len())
	for each := it.MapRange(); each.Next(); {
		entries = append(entries, entry{keyText(each.Key()), each.Value()})
	}
	slices.SortFunc(entries, func(one, other entry) int { return strings.Compare(one.key, other.key) })
	walk.out = append(walk.out, '{')
	for at, entry := range entries {
		if len(walk.out) > plainBytesMax {
			break
		}
		if at > 0 {
			walk.out = append(walk.out, ',')
		}
		walk.text(entry.key)
		walk.out = append(walk.out, ':')
		walk.value(entry.value, depth)
	}
	walk.out = append(walk.out, '}')
}

// keyText is a map's key, also of the types that encoding/json has no keys of.
func keyText(key reflect.Value) string {
	for key.Kind() == reflect.Interface && !key.IsNil() {
		key = key.Elem()
	}
	if key.Kind() == reflect.String {
		return key.String()
	}
	if text, ok := key.Interface().(encoding.TextMarshaler); ok && (key.Kind() != reflect.Pointer || !key.IsNil()) {
		if text, err := text.MarshalText(); err == nil {
			return string(text)
		}
	}
	switch {
	case key.CanInt():
		return strconv.FormatInt(key.Int(), 10)
	case key.CanUint():
		return strconv.FormatUint(key.Uint(), 10)
	}
	return fmt.Sprint(key)
}

func (walk *plain) fields(it reflect.Value, depth int) {
	walk.out = append(walk.out, '{')
	isFirst := true
	// The embedded structs whose fields are not the outer one's: they have a name in JSON.
	var named [][]int
	for _, field := range reflect.VisibleFields(it.Type()) {
		tag := field.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if slices.ContainsFunc(named, func(outer []int) bool {
			return len(field.Index) > len(outer) && slices.Equal(field.Index[:len(outer)], outer)
		}) {
			continue
		}
		if field.Anonymous && (name != "" || tag == "-") {
			named = append(named, field.Index)
		}
		if tag == "-" || isEmbedded(field, name) || !field.IsExported() {
			continue
		}
		value, err := it.FieldByIndexErr(field.Index)
		if err != nil || isLeftOut(value, options) {
			continue
		}
		if !isFirst {
			walk.out = append(walk.out, ',')
		}
		isFirst = false
		if name == "" {
			name = field.Name
		}
		walk.text(name)
		walk.out = append(walk.out, ':')
		walk.field(value, options, depth)
	}
	walk.out = append(walk.out, '}')
}

// isEmbedded says whether a field's own fields stand in its place.
func isEmbedded(field reflect.StructField, name string) bool {
	kind := field.Type
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return field.Anonymous && name == "" && kind.Kind() == reflect.Struct
}

func isLeftOut(value reflect.Value, options string) bool {
	for _, option := range strings.Split(options, ",") {
		switch option {
		case "omitzero":
			if own, ok := value.Interface().(interface{ IsZero() bool }); ok && value.Kind() != reflect.Pointer {
				return own.IsZero()
			}
			return value.IsZero()
		case "omitempty":
			switch value.Kind() {
			case reflect.Struct:
				return false
			case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
				return value.Len() == 0
			}
			return value.IsZero()
		}
	}
	return false
}

// field appends a field's value, as text where its tag asks for that.
func (walk *plain) field(value reflect.Value, options string, depth int) {
	isScalar := value.CanInt() || value.CanUint() || value.CanFloat() || value.Kind() == reflect.Bool
	if !isScalar || hasForm(value) || !slices.Contains(strings.Split(options, ","), "string") {
		walk.value(value, depth)
		return
	}
	begin := len(walk.out)
	walk.value(value, depth)
	if text := string(walk.out[begin:]); text[0] != '"' {
		walk.out = append(walk.out[:begin], '"')
		walk.out = append(append(walk.out, text...), '"')
	}
}
