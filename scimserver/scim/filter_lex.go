package scim

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

type tokenKind byte

const (
	endToken    tokenKind = iota
	wordToken             // an attribute path, an operator, a keyword or a number
	stringToken           // a JSON string, decoded
	openParen
	closeParen
	openBracket
	closeBracket
)

type token struct {
	kind tokenKind
	text string
	pos  int
}

// is compares a word without case: operators are case-insensitive (RFC 7644, section 3.4.2.2).
func (t token) is(word string) bool { return t.kind == wordToken && strings.EqualFold(t.text, word) }

func (t token) String() string {
	if t.kind == endToken {
		return "the end"
	}
	return quote(t.text)
}

// lex cuts a filter into tokens, in one pass.
func lex(s string) ([]token, error) {
	if len(s) > MaxFilterLength {
		return nil, InvalidFilter("the filter is longer than %d bytes", MaxFilterLength)
	}
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return nil, InvalidFilter("the filter has a NUL character or is not valid UTF-8")
	}
	var out []token
	for i := 0; i < len(s); {
		start := i
		kind := endToken
		switch s[i] {
		case ' ', '\t', '\r', '\n':
			i++
			continue
		case '"':
			text, n, err := lexString(s[i:], i)
			if err != nil {
				return nil, err
			}
			i += n
			out = append(out, token{stringToken, text, start})
			continue
		case '(':
			kind = openParen
		case ')':
			kind = closeParen
		case '[':
			kind = openBracket
		case ']':
			kind = closeBracket
		}
		if i++; kind == endToken {
			kind = wordToken
			if n := strings.IndexAny(s[i:], " \t\r\n\"()[]"); n >= 0 {
				i += n
			} else {
				i = len(s)
			}
		}
		out = append(out, token{kind, s[start:i], start})
	}
	return append(out, token{endToken, "", len(s)}), nil
}

// lexString reads a JSON string (compValue in RFC 7644, figure 1) and returns its length in the filter.
func lexString(s string, pos int) (string, int, error) {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			raw := []byte(s[:i+1])
			if err := scanJSON(raw); err != nil {
				return "", 0, InvalidFilter("at %d: a text with a NUL character or half of a surrogate pair", pos)
			}
			var text string
			if err := json.Unmarshal(raw, &text); err != nil {
				return "", 0, InvalidFilter("at %d: %s is not a JSON string", pos, quote(s[:i+1]))
			}
			return text, i + 1, nil
		}
	}
	return "", 0, InvalidFilter("at %d: a string without its closing quote", pos)
}
