package scim

import (
	"encoding/json"
	"maps"
	"strconv"
)

// Resource is a resource's attributes as decoded JSON, under the canonical names of its schema. The attributes of an
// extension are in a map under the extension's URN (RFC 7643, section 3.3). Values are string, bool, int64, float64,
// map[string]any and []any. An attribute without a value is absent: null, "" and [] are never stored (section 2.5).
type Resource map[string]any

// Clone returns a deep copy.
func (r Resource) Clone() Resource {
	out := make(Resource, len(r))
	for k, v := range r {
		out[k] = cloneValue(v)
	}
	return out
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return map[string]any(Resource(v).Clone())
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = cloneValue(e)
		}
		return out
	}
	return v
}

// Equal reports whether both hold the same values. A number is the same whichever Go type holds it.
func (r Resource) Equal(other Resource) bool { return equalMaps(r, other) }

func equalMaps(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, equalValues)
}

func equalValues(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && equalMaps(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equalValues(a[i], b[i]) {
				return false
			}
		}
		return true
	case string, bool, nil:
		return a == b
	}
	x, okA := number(a)
	y, okB := number(b)
	return okA && okB && x == y
}

// number reads any of the types that a JSON number may have become.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil
	}
	return 0, false
}

// isEmpty tells an unassigned value (RFC 7643, section 2.5).
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// Replacing returns what a PUT leaves of a resource (RFC 7644, section 3.5.1): what the body wants, and immutable
// attributes that it leaves out, which keep their value. One that it changes is refused with "mutability".
func Replacing(t *ResourceType, stored, wanted Resource) (Resource, error) {
	var out Resource // a copy once there is something to keep
	eachImmutable(t, func(p Path) {
		if v := p.in(stored); !isEmpty(v) && isEmpty(p.in(wanted)) {
			if out == nil {
				out = wanted.Clone()
			}
			e := editor{t: t, r: out}
			if p.Sub == "" {
				e.put(p, v)
				return
			}
			old, _ := e.get(p).(map[string]any)
			e.put(p, merge(p.attr, old, map[string]any{p.Sub: v}))
		}
	})
	if out == nil {
		out = wanted
	}
	return out, checkImmutable(t, stored, out)
}

// checkImmutable refuses a change of an immutable attribute that has a value (RFC 7643, section 7).
func checkImmutable(t *ResourceType, before, after Resource) error {
	var err error
	eachImmutable(t, func(p Path) {
		if v := p.in(before); !isEmpty(v) && !equalValues(v, p.in(after)) && err == nil {
			err = Mutability("%s is immutable: it cannot be changed once it has a value", p)
		}
	})
	return err
}

// eachImmutable calls fn for the paths of a type's immutable attributes, and of such parts of a complex one. Values of
// multi-valued attributes come and go as a whole, so their parts are none of them.
func eachImmutable(t *ResourceType, fn func(Path)) {
	for _, s := range t.Schemas() {
		for i := range s.Attributes {
			a := &s.Attributes[i]
			p := Path{Schema: s.ID, Attr: a.Name, attr: a, extension: s != t.Schema}
			if a.Mutability == Immutable {
				fn(p)
			}
			for j := range a.SubAttributes {
				if !a.MultiValued && a.SubAttributes[j].Mutability == Immutable {
					fn(p.withSub(a.SubAttributes[j].Name))
				}
			}
		}
	}
}

// in returns the value that stands at a path without selecting from several.
func (p Path) in(r Resource) any {
	holder := map[string]any(r)
	if p.extension {
		holder, _ = r[p.Schema].(map[string]any)
	}
	if p.Sub == "" {
		return holder[p.Attr]
	}
	m, _ := holder[p.Attr].(map[string]any)
	return m[p.Sub]
}
