package scim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxDepth bounds the nesting of a body. A resource needs four levels, a bulk request six.
const MaxDepth = 32

// decodeJSON reads one JSON value with numbers kept as written. It refuses what a database cannot hold: invalid
// UTF-8, NUL, and halves of a surrogate pair, which encoding/json would silently replace.
func decodeJSON(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, InvalidValue("the body is not valid UTF-8")
	}
	return parseJSON(string(bytes.TrimPrefix(body, []byte("\ufeff"))))
}

func decodeObject(body []byte) (map[string]any, error) {
	v, err := decodeJSON(body)
	if err != nil {
		return nil, err
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, InvalidSyntax("the body must be a JSON object, not %s", kindOf(v))
	}
	return obj, nil
}

// scanJSON looks at the escapes of a JSON string only; whoever decodes it does the rest.
func scanJSON(raw []byte) error {
	text := string(raw)
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		n, err := escapeLen(text[i:])
		if err != nil {
			return err
		}
		i += n - 1
	}
	return nil
}

// escapeLen returns the length of the escape sequence that s begins with.
func escapeLen(s string) (int, error) {
	unit, ok := hexUnit(s)
	switch {
	case !ok:
		return min(2, len(s)), nil
	case unit == 0:
		return 0, InvalidValue("a text has a NUL character")
	case unit < 0xD800 || unit > 0xDFFF:
		return 6, nil
	}
	if low, ok := hexUnit(s[6:]); unit < 0xDC00 && ok && low >= 0xDC00 && low <= 0xDFFF {
		return 12, nil
	}
	return 0, InvalidValue("a text has half of a surrogate pair, which is not valid Unicode")
}

// hexUnit reads \uXXXX.
func hexUnit(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 || (c < '0') {
			return 0, false
		}
		r = r<<4 | rune(d) //nolint:gosec // a digit
	}
	return r, true
}

// kindOf names a JSON value's type for a person.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number, float64, int64, int:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "an unknown type"
}

// member finds a key in any case: the exact one, else the first in byte order.
func member(obj map[string]any, name string) (any, bool) {
	if v, ok := obj[name]; ok {
		return v, true
	}
	least, found := "", false
	for k := range obj {
		if strings.EqualFold(k, name) && (!found || k < least) {
			least, found = k, true
		}
	}
	return obj[least], found
}

func sortedKeys(obj map[string]any) []string {
	out := make([]string, 0, len(obj))
	for k := range obj {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// quote cuts a client's text down to what fits in an error message.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		for s = s[:most]; !utf8.ValidString(s); s = s[:len(s)-1] {
		}
		s += "…"
	}
	return `"` + s + `"`
}
