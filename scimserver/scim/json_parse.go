package scim

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// jsonParser reads one JSON document (RFC 8259) in one pass. It is ours because encoding/json takes the last of two
// members of one name, and goes 10,000 levels deep: what a body means must not depend on who reads it.
type jsonParser struct {
	src    string
	pos    int
	depth  int
	values int
}

// maxJSONValues bounds the memory that a body takes up once it is read. A group of 100,000 members has half a million.
const maxJSONValues = 1_000_000

// parseJSON reads a document that is valid UTF-8. Numbers are kept as they are written.
func parseJSON(src string) (any, error) {
	p := jsonParser{src: src}
	p.space()
	if p.pos == len(src) {
		return nil, InvalidSyntax("the body is empty")
	}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(src) {
		return nil, InvalidSyntax("the body has something after the JSON document, at byte %d", p.pos)
	}
	return v, nil
}

func (p *jsonParser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return
		}
	}
}

// next returns the byte that comes next; 0 at the end, where no valid document has one.
func (p *jsonParser) next() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *jsonParser) unexpected(want string) error {
	if p.pos >= len(p.src) {
		return InvalidSyntax("the body is not JSON: it ends where there should be %s", want)
	}
	return InvalidSyntax("the body is not JSON: at byte %d there should be %s", p.pos, want)
}

func (p *jsonParser) value() (any, error) {
	if p.values++; p.values > maxJSONValues {
		return nil, InvalidSyntax("the body has more than %d values", maxJSONValues)
	}
	switch c := p.next(); c {
	case '{':
		return p.object()
	case '[':
		return p.list()
	case '"':
		return p.text()
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	case 'n':
		return nil, p.word("null")
	default:
		if c == '-' || isDigit(c) {
			return p.number()
		}
	}
	return nil, p.unexpected("a value")
}

func (p *jsonParser) word(w string) error {
	if !strings.HasPrefix(p.src[p.pos:], w) {
		return p.unexpected("a value")
	}
	p.pos += len(w)
	return nil
}

func (p *jsonParser) open() error {
	p.pos++
	if p.depth++; p.depth > MaxDepth {
		return InvalidSyntax("the body is nested more than %d levels deep", MaxDepth)
	}
	p.space()
	return nil
}

// more steps over a comma, or over the end of an object or list. It reports whether there is another element.
func (p *jsonParser) more(end byte) (bool, error) {
	p.space()
	switch p.next() {
	case ',':
		p.pos++
		p.space()
		return true, nil
	case end:
		p.pos++
		p.depth--
		return false, nil
	}
	return false, p.unexpected("a comma or " + quote(string(end)))
}

func (p *jsonParser) object() (any, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	out := map[string]any{}
	if p.next() == '}' {
		p.pos++
		p.depth--
		return out, nil
	}
	for again := true; again; {
		if p.next() != '"' {
			return nil, p.unexpected("a name in double quotes")
		}
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if _, twice := out[name]; twice {
			return nil, InvalidSyntax("the body has %s twice in one object", quote(name))
		}
		if p.space(); p.next() != ':' {
			return nil, p.unexpected("a colon")
		}
		p.pos++
		p.space()
		if out[name], err = p.value(); err != nil {
			return nil, err
		}
		if again, err = p.more('}'); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *jsonParser) list() (any, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	out := []any{}
	if p.next() == ']' {
		p.pos++
		p.depth--
		return out, nil
	}
	for again := true; again; {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		if again, err = p.more(']'); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// text reads a string. One without escapes, as nearly all are, shares the body's memory.
func (p *jsonParser) text() (string, error) {
	start := p.pos + 1
	for i := start; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '"':
			p.pos = i + 1
			return p.src[start:i], nil
		case c == '\\':
			return p.escaped(start, i)
		case c < ' ':
			p.pos = i
			return "", p.unexpected("no control character in a string")
		}
	}
	p.pos = len(p.src)
	return "", p.unexpected("a closing quote")
}

// escaped reads on where a string that began at start has its first backslash.
func (p *jsonParser) escaped(start, i int) (string, error) {
	out := append(make([]byte, 0, i-start+32), p.src[start:i]...)
	for i < len(p.src) {
		c := p.src[i]
		switch {
		case c == '"':
			p.pos = i + 1
			return string(out), nil
		case c < ' ':
			p.pos = i
			return "", p.unexpected("no control character in a string")
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		var n int
		var err error
		p.pos = i
		if out, n, err = p.escape(out); err != nil {
			return "", err
		}
		i += n
	}
	p.pos = len(p.src)
	return "", p.unexpected("a closing quote")
}

// escape appends what the escape sequence at the parser's place stands for, and returns its length.
func (p *jsonParser) escape(out []byte) ([]byte, int, error) {
	rest := p.src[p.pos:]
	if len(rest) < 2 {
		return nil, 0, p.unexpected("an escape sequence")
	}
	if i := strings.IndexByte(`"\/bfnrt`, rest[1]); i >= 0 {
		return append(out, "\"\\/\b\f\n\r\t"[i]), 2, nil
	}
	unit, ok := hexUnit(rest)
	if !ok {
		return nil, 0, p.unexpected("an escape sequence")
	}
	n, err := escapeLen(rest)
	if err != nil {
		return nil, 0, err
	}
	if n > len(`\uXXXX`) {
		low, _ := hexUnit(rest[len(`\uXXXX`):])
		unit = 0x10000 + (unit-0xD800)<<10 + (low - 0xDC00)
	}
	return utf8.AppendRune(out, unit), n, nil
}

func (p *jsonParser) number() (any, error) {
	start := p.pos
	if p.next() == '-' {
		p.pos++
	}
	if p.next() == '0' {
		p.pos++
	} else if !p.digits() {
		return nil, p.unexpected("a digit")
	}
	if p.next() == '.' {
		if p.pos++; !p.digits() {
			return nil, p.unexpected("a digit")
		}
	}
	if p.next()|0x20 == 'e' {
		p.pos++
		if c := p.next(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return nil, p.unexpected("a digit")
		}
	}
	return json.Number(p.src[start:p.pos]), nil
}

// digits steps over digits and reports whether there were any.
func (p *jsonParser) digits() bool {
	start := p.pos
	for isDigit(p.next()) {
		p.pos++
	}
	return p.pos > start
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
