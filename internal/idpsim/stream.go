package idpsim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// jsonStream writes one JSON object field by field, and arrays entry by entry, so that a tenant of a million is never in
// memory twice. It keeps its first error.
type jsonStream struct {
	out   *bufio.Writer
	enc   *json.Encoder
	begun bool
	err   error
}

func newJSONStream(w io.Writer) *jsonStream {
	if h, ok := w.(http.ResponseWriter); ok {
		h.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	s := &jsonStream{out: bufio.NewWriterSize(w, 64<<10)}
	s.enc = json.NewEncoder(s.out)
	s.enc.SetEscapeHTML(false)
	return s
}

func (s *jsonStream) raw(text string) {
	if s.err == nil {
		_, s.err = s.out.WriteString(text)
	}
}

func (s *jsonStream) value(v any) {
	if s.err == nil {
		s.err = s.enc.Encode(v)
	}
}

func (s *jsonStream) name(name string) {
	sep := ","
	if !s.begun {
		sep, s.begun = "{", true
	}
	s.raw(sep + `"` + name + `":`)
}

func (s *jsonStream) field(name string, v any) {
	s.name(name)
	s.value(v)
}

// streamEach writes an array of n entries.
func streamEach(s *jsonStream, name string, n int, entry func(i int) any) {
	s.name(name)
	s.raw("[")
	for i := 0; i < n && s.err == nil; i++ {
		if i > 0 {
			s.raw(",")
		}
		s.value(entry(i))
	}
	s.raw("]")
}

func (s *jsonStream) end() error {
	s.raw("}\n")
	if s.err == nil {
		s.err = s.out.Flush()
	}
	if s.err != nil {
		return fmt.Errorf("write: %w", s.err)
	}
	return nil
}
