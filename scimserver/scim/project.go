package scim

import "strings"

// Projection is a client's choice of attributes (RFC 7644, section 3.9), together with when each is returned at all
// (RFC 7643, section 7).
type Projection struct {
	t      *ResourceType
	chosen bool // "attributes" was given: only the minimum and those in only
	only   []Path
	except []Path
}

// ParseProjection reads "attributes" and "excludedAttributes". Each value may hold several names, separated by commas:
// in any case, qualified by a URN, a sub-attribute, or the URN of a whole extension. Unknown names select nothing. Both
// at once, which the RFC leaves open, exclude from what was chosen.
func ParseProjection(t *ResourceType, attributes, excluded []string) Projection {
	p := Projection{t: t}
	p.only, p.chosen = parseNames(t, attributes)
	p.except, _ = parseNames(t, excluded)
	return p
}

func parseNames(t *ResourceType, lists []string) (paths []Path, given bool) {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if name == "" {
				continue
			}
			given = true
			if p, ok := t.resolve(name); ok && p.Known() {
				paths = append(paths, p)
			}
		}
	}
	return paths, given
}

// Explicit reports whether the client asked for attributes by name, on which the answer to a PATCH may depend (RFC
// 7644, section 3.5.2).
func (p Projection) Explicit() bool { return p.chosen }

// Wants reports whether any part of an attribute is to be sent, so that what isn't need not be read: "members" of a
// group, "groups" of a user.
func (p Projection) Wants(name string) bool {
	path, ok := p.t.resolve(name)
	return ok && path.Known() && p.wants(path)
}

func (p Projection) wants(path Path) bool {
	returned := Default
	if leaf := path.Leaf(); leaf != nil {
		returned = leaf.Returned
	}
	switch returned {
	case Always:
		return true
	case Never:
		return false
	case Request:
		return p.chosen && covers(p.only, path, true)
	}
	return (!p.chosen || covers(p.only, path, true)) && !covers(p.except, path, false)
}

// covers reports whether one of the names includes the path: it, its whole attribute or its whole schema; with parts
// also one of its sub-attributes.
func covers(names []Path, path Path, parts bool) bool {
	for _, n := range names {
		switch {
		case n.Attr == "":
			if n.Schema == path.Schema {
				return true
			}
		case n.attr == path.attr && (n.Sub == "" || n.Sub == path.Sub || parts && path.Sub == ""):
			return true
		}
	}
	return false
}

// Apply returns what of a resource is to be sent. It shares values with the resource, which is not changed.
func (p Projection) Apply(r Resource) Resource {
	out := make(Resource, len(r))
	for k, v := range r {
		if s := p.t.extension(k); s != nil {
			m, _ := v.(map[string]any)
			if kept := p.attributes(m, func(name string) Path {
				return Path{Schema: s.ID, Attr: name, extension: true, attr: s.Attribute(name)}
			}); len(kept) > 0 {
				out[k] = kept
			}
			continue
		}
		path, ok := p.t.resolve(k)
		if !ok || path.attr == nil {
			continue
		}
		if v, ok := p.value(path, v); ok {
			out[k] = v
		}
	}
	if _, ok := out["schemas"]; ok && (p.chosen || len(p.except) > 0) {
		out["schemas"] = SchemasOf(p.t, out) // of what is in this document (RFC 7643, section 3)
	}
	return out
}

func (p Projection) attributes(m map[string]any, path func(string) Path) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		at := path(k)
		if at.attr == nil {
			continue
		}
		if v, ok := p.value(at, v); ok {
			out[k] = v
		}
	}
	return out
}

// value returns the part of an attribute's value that is to be sent.
func (p Projection) value(path Path, v any) (any, bool) {
	if !p.wants(path) {
		return nil, false
	}
	switch v := v.(type) {
	case map[string]any:
		m := p.subs(path, v)
		return m, len(m) > 0
	case []any:
		if path.attr.Type != Complex || !p.cuts(path) {
			return v, true
		}
		out := make([]any, 0, len(v))
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				if m = p.subs(path, m); len(m) > 0 {
					out = append(out, m)
				}
			}
		}
		return out, true
	}
	return v, true
}

// cuts reports whether any sub-attribute is left out, so that long lists are not copied in vain.
func (p Projection) cuts(path Path) bool {
	for i := range path.attr.SubAttributes {
		if !p.wants(path.withSub(path.attr.SubAttributes[i].Name)) {
			return true
		}
	}
	return false
}

func (p Projection) subs(path Path, m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if sub := path.withSub(k); path.attr.Returned == Always || sub.sub != nil && p.wants(sub) {
			out[k] = v
		}
	}
	return out
}
