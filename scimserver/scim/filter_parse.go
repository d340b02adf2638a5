package scim

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// ParseFilter reads a filter (RFC 7644, section 3.4.2.2) for resources of a type. Every failure is invalidFilter. A
// name that the type doesn't have is no error: its Path is not Known, and it has no value in any resource.
func ParseFilter(t *ResourceType, s string) (Filter, error) { return parseFilter(t, s, nil) }

// parseFilter reads a filter, or with a parent the value filter between brackets after it.
func parseFilter(t *ResourceType, s string, parent *Path) (Filter, error) {
	tokens, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &filterParser{t: t, tokens: tokens, parent: parent}
	f, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if next := p.peek(); next.kind != endToken {
		return nil, p.unexpected(next, "and, or, or the end")
	}
	return f, nil
}

// filterParser is a recursive descent, no deeper than MaxFilterDepth: "and" binds closer than "or", and chains of either
// make one node, not a tall tree.
type filterParser struct {
	t      *ResourceType
	tokens []token
	next   int
	terms  int
	parent *Path // within brackets: the attribute before them
}

func (p *filterParser) peek() token { return p.tokens[p.next] }

func (p *filterParser) take() token {
	tok := p.tokens[p.next]
	if tok.kind != endToken {
		p.next++
	}
	return tok
}

func (p *filterParser) unexpected(tok token, want string) error {
	return InvalidFilter("at %d: %s where there should be %s", tok.pos, tok, want)
}

func (p *filterParser) expect(kind tokenKind, want string) error {
	if tok := p.take(); tok.kind != kind {
		return p.unexpected(tok, want)
	}
	return nil
}

func (p *filterParser) or(depth int) (Filter, error) {
	terms, err := p.chain("or", func() (Filter, error) { return p.and(depth) })
	if err != nil || len(terms) > 1 {
		return Or{terms}, err
	}
	return terms[0], nil
}

func (p *filterParser) and(depth int) (Filter, error) {
	terms, err := p.chain("and", func() (Filter, error) { return p.term(depth) })
	if err != nil || len(terms) > 1 {
		return And{terms}, err
	}
	return terms[0], nil
}

func (p *filterParser) chain(word string, parse func() (Filter, error)) ([]Filter, error) {
	var terms []Filter
	for {
		f, err := parse()
		if err != nil {
			return nil, err
		}
		terms = append(terms, f)
		if !p.peek().is(word) {
			return terms, nil
		}
		p.take()
	}
}

func (p *filterParser) term(depth int) (Filter, error) {
	tok := p.take()
	negated := tok.is("not") && p.peek().kind == openParen
	if negated {
		tok = p.take()
	}
	switch {
	case tok.kind == openParen && depth >= MaxFilterDepth:
		return nil, InvalidFilter("the filter is nested more than %d levels deep", MaxFilterDepth)
	case tok.kind == openParen:
		f, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if err := p.expect(closeParen, "a closing parenthesis"); err != nil {
			return nil, err
		}
		if negated {
			return Not{f}, nil
		}
		return f, nil
	case tok.kind == wordToken:
		return p.attribute(tok)
	}
	return nil, p.unexpected(tok, "an attribute")
}

// attribute reads attrExp, or valuePath where a bracket follows.
func (p *filterParser) attribute(tok token) (Filter, error) {
	if p.terms++; p.terms > MaxFilterTerms {
		return nil, InvalidFilter("the filter has more than %d comparisons", MaxFilterTerms)
	}
	path, ok := p.path(tok.text)
	if !ok {
		return nil, p.unexpected(tok, "an attribute")
	}
	if p.peek().kind == openBracket {
		if p.parent != nil || path.Sub != "" {
			return nil, p.unexpected(p.peek(), "an operator")
		}
		if a := path.attr; a != nil && a.Type != Complex && !a.MultiValued {
			return nil, InvalidFilter("%s has a single value without sub-attributes: nothing can be chosen in it by brackets", path)
		}
		return p.valuePath(path)
	}
	return p.comparison(path)
}

func (p *filterParser) path(raw string) (Path, bool) {
	if p.parent == nil {
		path, ok := p.t.resolve(raw)
		return path, ok && path.Attr != ""
	}
	return p.parent.withSub(raw), validName(raw)
}

func (p *filterParser) valuePath(path Path) (Filter, error) {
	p.take()
	p.parent = &path
	inner, err := p.or(0)
	p.parent = nil
	if err != nil {
		return nil, err
	}
	if err := p.expect(closeBracket, "a closing bracket"); err != nil {
		return nil, err
	}
	if tok := p.peek(); tok.kind == wordToken && strings.HasPrefix(tok.text, ".") {
		p.take()
		sub := tok.text[1:]
		if !validName(sub) {
			return nil, p.unexpected(tok, "a sub-attribute")
		}
		last, err := p.comparison(path.withSub(sub))
		if err != nil {
			return nil, err
		}
		inner = flatAnd(inner, last)
	}
	return ValuePath{Path: path, Filter: inner}, nil
}

func flatAnd(first, last Filter) Filter {
	if and, ok := first.(And); ok {
		return And{append(and.Terms, last)}
	}
	return And{[]Filter{first, last}}
}

// comparison reads the operator and its value.
func (p *filterParser) comparison(path Path) (Filter, error) {
	tok := p.take()
	if tok.is("pr") {
		return Present{path}, nil
	}
	op := CompareOp(strings.ToLower(tok.text))
	if tok.kind != wordToken || !op.valid() {
		return nil, p.unexpected(tok, "an operator")
	}
	tok = p.take()
	value, ok := literal(tok)
	if !ok {
		return nil, p.unexpected(tok, "a string in double quotes, a number, true, false or null")
	}
	if value == nil {
		switch op {
		case Equal:
			return Not{Present{path}}, nil
		case NotEqual:
			return Present{path}, nil
		}
		return nil, InvalidFilter("at %d: null can only be compared by eq and ne", tok.pos)
	}
	return typedCompare(path, op, value)
}

// literal reads compValue; keywords are taken in any case.
func literal(tok token) (any, bool) {
	switch {
	case tok.kind == stringToken:
		return tok.text, true
	case tok.is("true"):
		return true, true
	case tok.is("false"):
		return false, true
	case tok.is("null"):
		return nil, true
	}
	_, isNumber := number(json.Number(tok.text))
	if tok.kind != wordToken || !isNumber || !json.Valid([]byte(tok.text)) {
		return nil, false
	}
	return json.Number(tok.text), true
}

// typedCompare makes the value fit the attribute's type, as a client may put a number or boolean in quotes, and refuses
// what RFC 7644, table 3, doesn't let be compared.
func typedCompare(path Path, op CompareOp, value any) (Filter, error) {
	if a := path.Leaf(); a != nil && a.Type == Complex {
		path = path.withSub("value")
		if path.sub == nil {
			return nil, InvalidFilter("%s is complex: compare one of its sub-attributes", path.Attr)
		}
	}
	kind := String
	if a := path.Leaf(); a != nil {
		kind = a.Type
	} else if _, isText := value.(string); !isText {
		return Compare{path, op, value}, nil
	}
	value, ok := fitLiteral(kind, value)
	switch {
	case !ok:
		return nil, InvalidFilter("%s is of type %s", path, kind)
	case (kind == Boolean || kind == Binary) && op.ordering(), kind == Boolean && op.substring():
		return nil, InvalidFilter("%s is of type %s, which %s cannot compare", path, kind, op)
	case (kind == Integer || kind == Decimal) && op.substring():
		return nil, InvalidFilter("%s is of type %s, which %s cannot compare", path, kind, op)
	case kind == DateTime && !op.substring():
		text, _ := value.(string)
		if _, ok := parseTime(text); !ok {
			return nil, InvalidFilter("%s is compared with something that is not a date and time", path)
		}
	}
	return Compare{path, op, value}, nil
}

func fitLiteral(kind Type, value any) (any, bool) {
	switch kind {
	case Boolean:
		if s, ok := value.(string); ok {
			return parseBool(s)
		}
		_, ok := value.(bool)
		return value, ok
	case Integer, Decimal:
		if s, ok := value.(string); ok {
			value = json.Number(s)
		}
		n, ok := value.(json.Number)
		return value, ok && json.Valid([]byte(n)) && isNumber(n)
	}
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), kind == String
	}
	return nil, false
}

func isNumber(n json.Number) bool {
	_, ok := number(n)
	return ok
}

// parseBool takes "True" and "False" in any case, as Entra sends them.
func parseBool(s string) (bool, bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

// parseTime reads xsd:dateTime (RFC 7643, section 2.3.5); without a zone it is UTC.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if v, err := time.Parse(layout, s); err == nil {
			return v, true
		}
	}
	return time.Time{}, false
}

// parseInteger reads a whole number that fits in 64 bits.
func parseInteger(n string) (int64, bool) {
	v, err := strconv.ParseInt(n, 10, 64)
	return v, err == nil
}
