package scim

import (
	"slices"
	"strings"
)

// editor changes a resource in place. A POST body, a PUT body and a PATCH value without a path are the same to it: an
// object whose keys are paths.
type editor struct {
	t *ResourceType
	r Resource
	c coercer

	strict bool // a replace that selects none of several values is noTarget
	work   int  // what comparing values has cost so far
}

// maxWork bounds the work of one request, in about bytes compared: far above what a real one needs, and well under a
// second. Without it a body could name thousands of filters over hundreds of values.
const maxWork = 64 << 20

// spend accounts for comparing each value of a list so many times.
func (e *editor) spend(list []any, times int) error {
	size := 0
	for _, v := range list {
		size += 64
		m, _ := v.(map[string]any)
		for _, part := range m {
			s, _ := part.(string)
			size += len(s)
		}
	}
	if e.work += size * times; e.work > maxWork {
		return InvalidValue("the request compares too many values: split it into several")
	}
	return nil
}

// object sets what an object without a path holds. Keys are names, dotted names, URN-qualified names or value paths,
// in any case; those that can't be understood or written are ignored. Whole attributes are set before their parts, and
// among equals the last in byte order wins, so that the result never depends on chance.
func (e *editor) object(op Op, obj map[string]any) error {
	type entry struct {
		target Target
		value  any
	}
	var whole, parts []entry
	for _, k := range sortedKeys(obj) {
		target, err := ParsePath(e.t, k)
		if err != nil || !writable(target.Path) {
			continue
		}
		if target.Filter == nil && target.Path.Sub == "" {
			whole = append(whole, entry{target, obj[k]})
		} else {
			parts = append(parts, entry{target, obj[k]})
		}
	}
	for _, s := range append(whole, parts...) {
		if err := e.set(op, s.target, s.value); err != nil {
			return err
		}
	}
	return nil
}

// writable reports whether the service stores what clients write there. A password is accepted and dropped.
func writable(p Path) bool {
	return p.Known() && !hasMutability(p, ReadOnly) && !hasMutability(p, WriteOnly)
}

func hasMutability(p Path, m Mutable) bool {
	return p.attr != nil && p.attr.Mutability == m || p.sub != nil && p.sub.Mutability == m
}

// set performs add or replace on a known, writable target.
func (e *editor) set(op Op, g Target, v any) error {
	p := g.Path
	at := g.String()
	switch {
	case p.Attr == "":
		return e.setSchema(op, p, v)
	case g.Filter != nil:
		return e.setMatching(op, g, v)
	case p.Sub != "":
		return e.setSub(op, p, v)
	case p.attr.MultiValued:
		return e.setList(op, p, v)
	case p.attr.Type == Complex:
		return e.setComplex(p, v)
	}
	v, err := e.c.simple(p.attr, v, at)
	if err != nil {
		return err
	}
	if v == nil && p.attr.Required {
		return InvalidValue("%s is required and cannot be empty", at)
	}
	e.put(p, v)
	return nil
}

// setSchema merges an object with the attributes of one schema, as under an extension's URN.
func (e *editor) setSchema(op Op, p Path, v any) error {
	if v == nil {
		if p.extension {
			delete(e.r, p.Schema)
		}
		return nil
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return InvalidValue("%s must be an object, not %s", p, kindOf(v))
	}
	qualified := make(map[string]any, len(obj))
	for _, k := range sortedKeys(obj) {
		if !strings.Contains(k, ":") {
			qualified[p.Schema+":"+k] = obj[k]
		}
	}
	return e.object(op, qualified)
}

func (e *editor) setComplex(p Path, v any) error {
	parts, err := e.c.parts(p.attr, v, p.String())
	if err != nil {
		return err
	}
	if parts == nil {
		if obj, ok := v.(map[string]any); !ok || len(obj) > 0 {
			e.put(p, nil)
		}
		return nil
	}
	old, _ := e.get(p).(map[string]any)
	e.put(p, merge(p.attr, old, parts))
	return nil
}

// merge replaces the sub-attributes that parts name and leaves the others (RFC 7644, section 3.5.2.3). When "value"
// comes to name another resource, what described the former one ($ref, display, displayName) goes with it.
func merge(a *Attribute, old, parts map[string]any) any {
	out := map[string]any{}
	value, given := parts["value"]
	moved := given && a.Sub("$ref") != nil && !equalValues(value, old["value"])
	for k, v := range old {
		if !moved || k != "$ref" && k != "display" && k != "displayName" {
			out[k] = v
		}
	}
	for k, v := range parts {
		out[k] = v
	}
	return compact(out)
}

// setSub sets one sub-attribute: of every value, where the attribute has several.
func (e *editor) setSub(op Op, p Path, v any) error {
	v, err := e.c.value(p.sub, v, p.String())
	if err != nil {
		return err
	}
	parts := map[string]any{p.Sub: v}
	if !p.attr.MultiValued {
		old, _ := e.get(p).(map[string]any)
		e.put(p, merge(p.attr, old, parts))
		return nil
	}
	if p.attr.Type != Complex {
		return e.setList(op, p.withSub(""), v)
	}
	list := e.list(p)
	if len(list) == 0 {
		list = []any{map[string]any{}}
	}
	for i, element := range list {
		old, _ := element.(map[string]any)
		list[i] = merge(p.attr, old, parts)
	}
	e.putList(p, list, -1)
	return nil
}

// setList replaces all values, or adds those that are not there yet.
func (e *editor) setList(op Op, p Path, v any) error {
	v, err := e.c.list(p.attr, v, p.String())
	if err != nil {
		return err
	}
	given, _ := v.([]any)
	if op == Replace {
		e.putList(p, given, -1)
		return nil
	}
	list, primary := e.list(p), -1
	if err := e.spend(list, len(given)); err != nil {
		return err
	}
	if err := e.spend(given, len(given)); err != nil {
		return err
	}
	for _, element := range given {
		var at int
		list, at = addElement(list, element)
		if m, _ := element.(map[string]any); m["primary"] == true {
			primary = at
		}
	}
	if len(list) > MaxValues {
		return InvalidValue("%s has more than %d values", p, MaxValues)
	}
	e.putList(p, list, primary)
	return nil
}

// addElement adds a value, or merges it into the one that it repeats: the same (type, value) never stands twice (RFC
// 7643, section 2.4). It returns the index where the value now is.
func addElement(list []any, element any) ([]any, int) {
	m, isMap := element.(map[string]any)
	for i, e := range list {
		old, _ := e.(map[string]any)
		switch {
		case !isMap:
			if equalValues(e, element) {
				return list, i
			}
		case old == nil:
		case contains(old, m):
			return list, i
		case m["value"] != nil && equalValues(m["value"], old["value"]) && sameText(m["type"], old["type"]):
			for k, v := range m {
				old[k] = v
			}
			return list, i
		}
	}
	return append(list, element), len(list)
}

func contains(old, m map[string]any) bool {
	for k, v := range m {
		if !equalValues(old[k], v) {
			return false
		}
	}
	return true
}

func sameText(a, b any) bool {
	x, _ := a.(string)
	y, _ := b.(string)
	return strings.EqualFold(x, y)
}

func (e *editor) holder(p Path) map[string]any {
	if !p.extension {
		return e.r
	}
	m, _ := e.r[p.Schema].(map[string]any)
	return m
}

func (e *editor) get(p Path) any { return e.holder(p)[p.Attr] }

func (e *editor) list(p Path) []any { return flatten(e.get(p)) }

// put stores an attribute's value; an empty one removes it, and with the last one its extension.
func (e *editor) put(p Path, v any) {
	m := e.holder(p)
	if isEmpty(v) {
		delete(m, p.Attr)
		if p.extension && len(m) == 0 {
			delete(e.r, p.Schema)
		}
		return
	}
	if m == nil {
		m = map[string]any{}
		e.r[p.Schema] = m
	}
	m[p.Attr] = v
}

// putList stores values without those that were cleared. primary is the index of the value that was made primary.
func (e *editor) putList(p Path, list []any, primary int) {
	keepOnePrimary(list, primary)
	list = slices.DeleteFunc(list, isEmpty)
	e.put(p, list)
}

// prune drops values without content: those of which only labels are left. It is done last, as one operation may set a
// value's "primary" and the next its "value".
func (e *editor) prune() {
	for _, s := range e.t.Schemas() {
		for i := range s.Attributes {
			a := &s.Attributes[i]
			if !a.MultiValued || a.Type != Complex {
				continue
			}
			p := Path{Schema: s.ID, Attr: a.Name, attr: a, extension: s != e.t.Schema}
			if list := e.list(p); len(list) > 0 {
				e.put(p, slices.DeleteFunc(list, isBare))
			}
		}
	}
}

func isBare(element any) bool {
	m, ok := element.(map[string]any)
	for k := range m {
		if k != "type" && k != "primary" {
			return false
		}
	}
	return ok
}
