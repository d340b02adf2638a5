package scimserver

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// masked stands in the request log for a secret.
const masked = `"***"`

// loose finds secrets in what is no JSON at all, such as a form or XML.
var loose = regexp.MustCompile(`(?i)((?:password|passwd|secret)["']?(?:\s*[:=>]\s*|\s+(?:eq|ne|co|sw|ew|gt|ge|lt|le)\s+))[^\s,;&}<]+`)

// comparison finds in a text that something is held against a secret, or set to it, as a filter or a path has it.
var comparison = regexp.MustCompile(`(?i)(?:password|passwd|secret|token|credential)[\w.\]]*["']?(?:\s*[=:>\[]|\s+(?:eq|ne|co|sw|ew|gt|ge|lt|le)\b)`)

// holdsSecret reports whether a text speaks of a secret and, by its form, has it.
func holdsSecret(s string) bool { return namesSecret(s) && comparison.MatchString(s) }

// maskSecrets returns a body with the values of passwords and other secrets replaced, at any depth: those of keys that
// name one, the "value" beside a "path" that names one (a PATCH operation), and texts that compare one, such as a filter. It
// keeps everything else byte for byte, and does what it can for malformed JSON. Of a body much longer than keep, only the
// beginning is returned.
func maskSecrets(body []byte, keep int) []byte {
	if bytes.IndexByte(body, 0) >= 0 { // no JSON has one, but UTF-16 does, between any two letters
		body = bytes.ReplaceAll(body, []byte{0}, nil)
	}
	if !mentionsSecret(body) {
		return body[:min(len(body), keep+1)]
	}
	m := masker{src: body}
	m.scan()
	out := m.replace(keep)
	if !json.Valid(body) {
		out = loose.ReplaceAll(out, []byte("${1}***"))
	}
	return out
}

// mentionsSecret is quick and errs on the safe side: a name may be written with escapes.
func mentionsSecret(body []byte) bool {
	if bytes.Contains(body, []byte(`\u`)) {
		return true
	}
	lower := bytes.ToLower(body)
	return slices.ContainsFunc(secretNames(), func(name string) bool { return bytes.Contains(lower, []byte(name)) })
}

func secretNames() []string { return []string{"password", "passwd", "secret", "token", "credential"} }

// namesSecret reports whether an attribute's name, or a path, is that of a secret.
func namesSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretNames(), func(s string) bool { return strings.Contains(name, s) })
}

// masker walks over JSON, well formed or not, and notes which bytes to replace.
type masker struct {
	src   []byte
	stack []container
	found []span
}

type span struct{ from, to int }

// container is an object or array that is open at the scanner's place.
type container struct {
	object bool
	from   int
	key    string // of the value that comes next; set when hasKey
	hasKey bool
	secret bool   // an object whose "path" names a secret
	values []span // of its "value"
}

func (m *masker) scan() {
	for i := 0; i < len(m.src); {
		switch c := m.src[i]; c {
		case '{', '[':
			m.stack = append(m.stack, container{object: c == '{', from: i})
			i++
		case '}', ']':
			i++
			m.closeTop(i)
		case ',':
			if n := len(m.stack); n > 0 {
				m.stack[n-1].hasKey = false
			}
			i++
		case ':', ' ', '\t', '\r', '\n':
			i++
		case '"':
			end := stringEnd(m.src, i)
			m.text(span{i, end})
			i = end
		default:
			end := i + 1
			for end < len(m.src) && !bytes.ContainsRune([]byte(" \t\r\n,:{}[]\""), rune(m.src[end])) {
				end++
			}
			m.value(span{i, end})
			i = end
		}
	}
	for len(m.stack) > 0 { // what a cut-off body left open
		m.closeTop(len(m.src))
	}
}

// stringEnd returns where the string that begins at i ends, its quote included.
func stringEnd(src []byte, i int) int {
	for i++; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(src)
}

// text takes a string: the key of an object's next value, or a value.
func (m *masker) text(at span) {
	n := len(m.stack)
	key := n > 0 && m.stack[n-1].object && !m.stack[n-1].hasKey
	raw := m.src[at.from:at.to]
	if key {
		m.stack[n-1].key, m.stack[n-1].hasKey = m.unquote(at), true
	}
	if (bytes.IndexByte(raw, '\\') >= 0 || namesSecret(string(raw))) && holdsSecret(m.unquote(at)) {
		m.found = append(m.found, at)
	}
	if !key {
		m.value(at)
	}
}

func (m *masker) unquote(at span) string {
	raw := m.src[at.from:at.to]
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return strings.Trim(string(raw), `"`)
	}
	return s
}

// value takes a whole value of the innermost container.
func (m *masker) value(at span) {
	if len(m.stack) == 0 {
		return
	}
	top := &m.stack[len(m.stack)-1]
	if !top.object || !top.hasKey {
		return
	}
	top.hasKey = false
	switch {
	case namesSecret(top.key):
		m.found = append(m.found, at)
	case strings.EqualFold(top.key, "path") && m.src[at.from] == '"':
		top.secret = top.secret || namesSecret(m.unquote(at))
	case strings.EqualFold(top.key, "value"):
		top.values = append(top.values, at)
	}
}

func (m *masker) closeTop(end int) {
	n := len(m.stack)
	if n == 0 {
		return
	}
	top := m.stack[n-1]
	m.stack = m.stack[:n-1]
	if top.secret {
		m.found = append(m.found, top.values...)
	}
	m.value(span{top.from, end})
}

// replace copies the source with what was found masked, until enough is there.
func (m *masker) replace(keep int) []byte {
	slices.SortFunc(m.found, func(a, b span) int { return a.from - b.from })
	out := make([]byte, 0, min(len(m.src), keep)+len(masked))
	at := 0
	for _, s := range m.found {
		if s.from < at { // within one that is masked already
			continue
		}
		out = append(append(out, m.src[at:s.from]...), masked...)
		at = s.to
		if len(out) > keep {
			return out
		}
	}
	return append(out, m.src[at:]...)
}
