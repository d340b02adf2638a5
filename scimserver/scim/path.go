package scim

import "strings"

// Path names an attribute, or one of its sub-attributes (attrPath in RFC 7644, section 3.5.2). Names that the resource
// type knows are in their canonical spelling; others are as the client wrote them.
type Path struct {
	Schema string // the URN of the schema; empty for a common attribute (RFC 7643, 3.1) and for an unknown bare name
	Attr   string // empty when the path is a whole schema
	Sub    string // the sub-attribute, or empty

	extension bool
	attr, sub *Attribute
}

// Known reports whether the resource type defines what the path names.
func (p Path) Known() bool {
	if p.Attr == "" {
		return p.Schema != ""
	}
	return p.attr != nil && (p.Sub == "" || p.sub != nil)
}

// Extension reports whether the attribute belongs to an extension, and so is in the map under Schema.
func (p Path) Extension() bool { return p.extension }

// Attribute returns the definition of the attribute itself, or nil if the type has none of that name.
func (p Path) Attribute() *Attribute { return p.attr }

// Leaf returns the definition of what the path names: the sub-attribute where there is one. It is nil when unknown.
func (p Path) Leaf() *Attribute {
	if p.Sub != "" {
		return p.sub
	}
	return p.attr
}

// String returns the path in canonical form; attributes of the core schema are not qualified.
func (p Path) String() string {
	out := p.Attr
	if p.Sub != "" {
		out += "." + p.Sub
	}
	switch {
	case p.Attr == "":
		return p.Schema
	case p.Schema != "" && (p.extension || p.attr == nil):
		return p.Schema + ":" + out
	}
	return out
}

// resolve reads [URN:]name[.sub], in any case. It fails only on bad syntax; an unknown name gives a Path that is not
// Known.
func (t *ResourceType) resolve(raw string) (Path, bool) {
	if len(raw) >= 4 && strings.EqualFold(raw[:4], "urn:") {
		return t.resolveURN(raw)
	}
	name, sub, ok := splitName(raw)
	if !ok {
		return Path{}, false
	}
	p := Path{Attr: name, Sub: sub, attr: t.attribute(name)}
	if p.attr != nil && t.Schema.Attribute(name) != nil {
		p.Schema = t.Schema.ID
	}
	return p.canonical(), true
}

func (t *ResourceType) resolveURN(raw string) (Path, bool) {
	for _, s := range t.Schemas() {
		rest, ok := cutPrefixFold(raw, s.ID)
		if !ok || rest != "" && rest[0] != ':' {
			continue
		}
		p := Path{Schema: s.ID, extension: s != t.Schema}
		if rest == "" {
			return p, true
		}
		if p.Attr, p.Sub, ok = splitName(rest[1:]); !ok {
			return Path{}, false
		}
		if p.attr = s.Attribute(p.Attr); p.attr == nil && !p.extension {
			p.attr = findAttribute(t.common, p.Attr)
		}
		return p.canonical(), true
	}
	i := strings.LastIndexByte(raw, ':')
	name, sub, ok := splitName(raw[i+1:])
	if !ok { // perhaps a URN that ends in a version: unknown all the same
		name, sub = raw[i+1:], ""
	}
	return Path{Schema: raw[:i], Attr: name, Sub: sub}, name != "" && i > len("urn:") && validURN(raw)
}

// canonical replaces known names by their canonical spelling.
func (p Path) canonical() Path {
	if p.attr == nil {
		return p
	}
	p.Attr = p.attr.Name
	return p.withSub(p.Sub)
}

// withSub returns the path of a sub-attribute. A multi-valued attribute that is not complex has one, "value": each of
// its values (RFC 7643, section 2.4).
func (p Path) withSub(name string) Path {
	p.Sub, p.sub = name, nil
	if p.attr == nil || name == "" {
		return p
	}
	if p.sub = p.attr.Sub(name); p.sub != nil {
		p.Sub = p.sub.Name
	} else if p.attr.MultiValued && p.attr.Type != Complex && strings.EqualFold(name, "value") {
		element := *p.attr
		element.MultiValued = false
		p.Sub, p.sub = "value", &element
	}
	return p
}

// splitName reads ATTRNAME["." subAttr] of RFC 7644, figure 1.
func splitName(raw string) (name, sub string, ok bool) {
	name, sub, dotted := strings.Cut(raw, ".")
	return name, sub, validName(name) && (!dotted || validName(sub))
}

// validName is ATTRNAME of RFC 7643, section 2.1, with the "$" of $ref and without its rule on the first character.
func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' && (c != '$' || i > 0) {
			return false
		}
	}
	return s != "" && (s[0] > '9' || s[0] == '$' || s[0] == '_')
}

func validURN(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7F || strings.ContainsRune(`"[]()`, r) })
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// Target is the "path" of a PATCH operation: an attribute, or the values of a multi-valued one that match a filter, or
// a sub-attribute of either (RFC 7644, section 3.5.2).
type Target struct {
	Path   Path
	Filter Filter // nil unless the path selects values
}

// String returns the path in canonical form.
func (g Target) String() string {
	if g.Filter == nil {
		return g.Path.String()
	}
	return ValuePath{Path: g.Path.withSub(""), Filter: g.Filter}.String() + dot(g.Path.Sub)
}

func dot(sub string) string {
	if sub == "" {
		return ""
	}
	return "." + sub
}

// ParsePath reads a PATCH path. Bad syntax is invalidPath, within the brackets invalidFilter; a name that the type
// doesn't have is no error.
func ParsePath(t *ResourceType, raw string) (Target, error) {
	raw = strings.TrimSpace(raw)
	if len(raw) > MaxFilterLength {
		return Target{}, InvalidPath("the path is longer than %d bytes", MaxFilterLength)
	}
	head, rest, filtered := strings.Cut(raw, "[")
	p, ok := t.resolve(strings.TrimSpace(head))
	if !ok || filtered && (p.Attr == "" || p.Sub != "") {
		return Target{}, InvalidPath("%s is not an attribute path", quote(raw))
	}
	if !filtered {
		return Target{Path: p}, nil
	}
	end := closingBracket(rest)
	if end < 0 {
		return Target{}, InvalidPath("%s has no closing bracket", quote(raw))
	}
	if tail := rest[end+1:]; tail != "" {
		sub, dotted := strings.CutPrefix(tail, ".")
		if !dotted || !validName(sub) {
			return Target{}, InvalidPath("%s is no sub-attribute, in %s", quote(tail), quote(raw))
		}
		p = p.withSub(sub)
	}
	f, err := parseFilter(t, rest[:end], &p)
	return Target{Path: p, Filter: f}, err
}

// closingBracket finds the bracket that ends a value filter, which may have brackets in its strings.
func closingBracket(s string) int {
	inString := false
	for i := 0; i < len(s); i++ {
		switch {
		case inString && s[i] == '\\':
			i++
		case s[i] == '"':
			inString = !inString
		case !inString && s[i] == ']':
			return i
		}
	}
	return -1
}
