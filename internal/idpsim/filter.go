package idpsim

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// clause is a parsed $filter: a comparison, or two clauses joined by and/or. The nil clause matches everything.
// It knows the part of the page "Use the $filter query parameter" that these routes need.
type clause struct {
	op     string // eq, ne, gt, ge, lt, le, in, contains, startswith; of Okta's also sw, co; and, or
	prop   string
	values []string
	left   *clause
	right  *clause
}

var filterToken = regexp.MustCompile(`^\s*(?:'((?:[^']|'')*)'|([(),])|([^\s(),']+))`)

type filterParser struct {
	rest   string
	word   string
	quoted bool
	more   []string // operators that are taken besides Graph's
}

// parseFilter parses a $filter; an empty one is nil. It takes some operators more than Graph does.
func parseFilter(s string, more ...string) (*clause, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	p := &filterParser{rest: s, more: more}
	p.next()
	c, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.word != "" || strings.TrimSpace(p.rest) != "" {
		return nil, fmt.Errorf("syntax error at %q", p.word+p.rest)
	}
	return c, nil
}

func (p *filterParser) next() {
	m := filterToken.FindStringSubmatch(p.rest)
	if m == nil {
		p.word, p.quoted = "", false
		return
	}
	p.rest = p.rest[len(m[0]):]
	p.quoted = strings.HasPrefix(strings.TrimSpace(m[0]), "'")
	p.word = m[2] + m[3]
	if p.quoted {
		p.word = strings.ReplaceAll(m[1], "''", "'")
	}
}

func (p *filterParser) is(word string) bool { return !p.quoted && p.word == word }

func (p *filterParser) take(word string) error {
	if !p.is(word) {
		return fmt.Errorf("want %q, got %q", word, p.word)
	}
	p.next()
	return nil
}

func (p *filterParser) or() (*clause, error) { return p.joined("or", p.and) }

func (p *filterParser) and() (*clause, error) { return p.joined("and", p.term) }

func (p *filterParser) joined(op string, part func() (*clause, error)) (*clause, error) {
	left, err := part()
	for err == nil && p.is(op) {
		p.next()
		var right *clause
		right, err = part()
		left = &clause{op: op, left: left, right: right}
	}
	return left, err
}

func (p *filterParser) term() (*clause, error) {
	if p.is("(") {
		p.next()
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		return c, p.take(")")
	}
	if p.is("contains") || p.is("startswith") {
		return p.function()
	}
	c := &clause{prop: p.word}
	p.next()
	c.op = p.word
	known := slices.Contains([]string{"eq", "ne", "gt", "ge", "lt", "le", "in"}, c.op) || slices.Contains(p.more, c.op)
	if c.prop == "" || !known {
		return nil, fmt.Errorf("operator %q after %q", c.op, c.prop)
	}
	p.next()
	var err error
	if c.op == "in" {
		if err = p.take("("); err == nil {
			c.values, err = p.literals()
		}
		return c, err
	}
	if p.word == "" && !p.quoted {
		return nil, errors.New("value missing")
	}
	c.values = []string{p.word}
	p.next()
	return c, nil
}

func (p *filterParser) function() (*clause, error) {
	c := &clause{op: p.word}
	p.next()
	if err := p.take("("); err != nil {
		return nil, err
	}
	c.prop = p.word
	p.next()
	if err := p.take(","); err != nil {
		return nil, err
	}
	var err error
	c.values, err = p.literals()
	return c, err
}

// literals reads values up to the closing bracket.
func (p *filterParser) literals() ([]string, error) {
	var out []string
	for {
		out = append(out, p.word)
		p.next()
		if p.is(")") {
			p.next()
			return out, nil
		}
		if err := p.take(","); err != nil {
			return nil, err
		}
	}
}

// unknown returns a property that is not among known, or "".
func (c *clause) unknown(known []string) string {
	if c == nil {
		return ""
	}
	if c.left != nil {
		if u := c.left.unknown(known); u != "" {
			return u
		}
		return c.right.unknown(known)
	}
	root, _, _ := strings.Cut(c.prop, "/")
	if slices.Contains(known, root) {
		return ""
	}
	return c.prop
}

// matches says whether a rendered object fulfils the clause.
func (c *clause) matches(item object) bool {
	return c.holds(func(prop string) string { return text(item, prop) })
}

// holds compares strings without regard to case, as the directory does.
func (c *clause) holds(value func(prop string) string) bool {
	if c == nil {
		return true
	}
	switch c.op {
	case "and":
		return c.left.holds(value) && c.right.holds(value)
	case "or":
		return c.left.holds(value) || c.right.holds(value)
	}
	got := strings.ToLower(value(c.prop))
	want := strings.ToLower(c.values[0])
	switch c.op {
	case "eq":
		return got == want
	case "ne":
		return got != want
	case "gt":
		return got > want
	case "ge":
		return got >= want
	case "lt":
		return got < want
	case "le":
		return got <= want
	case "contains", "co":
		return strings.Contains(got, want)
	case "startswith", "sw":
		return strings.HasPrefix(got, want)
	}
	return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, got) })
}

func text(item object, path string) string {
	head, rest, nested := strings.Cut(path, "/")
	if nested {
		if inner, ok := item[head].(object); ok {
			return text(inner, rest)
		}
		return ""
	}
	switch v := item[head].(type) {
	case nil:
		return "null"
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// candidates returns the only ids that can match, by a look-up of those that have a property in a set of values; false
// when the clause doesn't narrow them down. They are sorted.
func (c *clause) candidates(look func(prop string, values []string) ([]string, bool)) ([]string, bool) {
	if c == nil {
		return nil, false
	}
	var ids []string
	ok := false
	switch c.op {
	case "and":
		if ids, ok = c.left.candidates(look); !ok {
			ids, ok = c.right.candidates(look)
		}
	case "or":
		if ids, ok = c.left.candidates(look); ok {
			var more []string
			more, ok = c.right.candidates(look)
			ids = append(ids, more...)
		}
	case "eq", "in":
		ids, ok = look(c.prop, c.values)
	}
	slices.Sort(ids)
	return slices.Compact(ids), ok
}
