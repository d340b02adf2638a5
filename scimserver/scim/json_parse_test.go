package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// asEncodingJSON reads a document as encoding/json does, with what it finds too lax told apart: names that stand twice, and
// what no database can hold.
func asEncodingJSON(body []byte) (v any, lax bool, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil, false, false
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, false, false
	}
	return v, duplicates(json.NewDecoder(bytes.NewReader(body))) || bytes.Contains(body, []byte(`\u`)), true
}

// duplicates reports whether some object has a name twice.
func duplicates(dec *json.Decoder) bool {
	type level struct {
		names map[string]bool
		value bool // the next token is a value
	}
	var stack []level
	for {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		if n := len(stack); n > 0 && stack[n-1].names != nil && tok != json.Delim('}') {
			top := &stack[n-1]
			if name, isText := tok.(string); isText && !top.value {
				if top.names[name] {
					return true
				}
				top.names[name], top.value = true, true
				continue
			}
			top.value = false
		}
		switch tok {
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0.5e+3,true,false,null,"x\n\u00e9\ud83d\ude00\/"],"b":{}}`, ` [ ] `, `{"a":1,"a":2}`, `{"a":1,}`, `[1 2]`, `01`, `-`, `1.`, `1e`, `"\x"`,
		`"` + "\t" + `"`, `nul`, `{"a"}`, `[[[[`, `"\ud83d"`, `{"a":"\u0000"}`, `"é"`, "\ufeff{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) || bytes.HasPrefix(body, []byte("\ufeff")) {
			return
		}
		got, err := decodeJSON(body)
		want, lax, ok := asEncodingJSON(body)
		deep := strings.Count(string(body), "[")+strings.Count(string(body), "{") > MaxDepth
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Status != http.StatusBadRequest) {
			t.Fatalf("%q: %v", body, err)
		}
		switch {
		case err == nil && !ok:
			t.Errorf("%q is taken, as %v", body, got)
		case err != nil && ok && !lax && !deep:
			t.Errorf("%q is refused: %v", body, err)
		case err == nil && !reflect.DeepEqual(got, want):
			t.Errorf("%q is read as %#v, want %#v", body, got, want)
		}
	})
}
