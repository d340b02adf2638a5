package scim

import "slices"

// setMatching performs add or replace on the values that a filter selects, or on a sub-attribute of each.
func (e *editor) setMatching(op Op, g Target, v any) error {
	p := g.Path
	if !p.attr.MultiValued {
		return InvalidPath("%s has a single value: no filter can select from it", p.Attr)
	}
	parts, err := e.matchingParts(g, v)
	if err != nil {
		return err
	}
	list, primary, found := e.list(p), -1, false
	if err := e.spend(list, terms(g.Filter)); err != nil {
		return err
	}
	for i, element := range list {
		if !matchElement(g.Filter, element) {
			continue
		}
		found = true
		list[i] = e.changed(op, g, element, parts)
		if parts["primary"] == true {
			primary = i
		}
	}
	if !found {
		return e.createMatching(op, g, parts)
	}
	e.putList(p, list, primary)
	return nil
}

// matchingParts coerces the value to sub-attributes to set. None at all clears the selected values.
func (e *editor) matchingParts(g Target, v any) (map[string]any, error) {
	p, at := g.Path, g.String()
	if p.Sub != "" {
		v, err := e.c.value(p.sub, v, at)
		return map[string]any{p.Sub: v}, err
	}
	if p.attr.Type == Complex {
		return e.c.parts(p.attr, v, at)
	}
	element := *p.attr
	element.MultiValued = false
	v, err := e.c.simple(&element, v, at)
	return map[string]any{"value": v}, err
}

// changed returns what a selected value becomes. Add, and a change to one sub-attribute, leave the others; replace puts
// a new value in its place (RFC 7644, section 3.5.2.3), which is still one that the filter selects by.
func (e *editor) changed(op Op, g Target, element any, parts map[string]any) any {
	if g.Path.attr.Type != Complex {
		return parts["value"]
	}
	if len(parts) == 0 && op == Replace {
		return nil
	}
	old, _ := element.(map[string]any)
	if op == Replace && g.Path.Sub == "" {
		old, _ = implied(g.Filter)
	}
	return merge(g.Path.attr, old, parts)
}

// createMatching makes the value that a filter asks for where none exists, as Entra expects of both add and replace. A
// replace that selects by "value" means an existing one. A strict one has no target among the values that there are, and is
// an add where the attribute has none at all (both RFC 7644, section 3.5.2.3).
func (e *editor) createMatching(op Op, g Target, parts map[string]any) error {
	seed, simple := implied(g.Filter)
	_, byValue := seed["value"]
	if !simple || e.strict && len(e.list(g.Path)) > 0 || op == Replace && byValue {
		return NoTarget("nothing matches %s", g)
	}
	if compact(parts) == nil {
		return nil
	}
	if g.Path.attr.Type != Complex {
		return e.setList(Add, g.Path.withSub(""), parts["value"])
	}
	return e.setList(Add, g.Path.withSub(""), []any{merge(g.Path.attr, seed, parts)})
}

// implied returns the sub-attributes that a filter fixes, if it does nothing else: `type eq "work"`, and such terms
// joined by "and".
func implied(f Filter) (map[string]any, bool) {
	terms := []Filter{f}
	if and, ok := f.(And); ok {
		terms = and.Terms
	}
	out := map[string]any{}
	for _, t := range terms {
		c, ok := t.(Compare)
		if !ok || c.Op != Equal || c.Path.sub == nil || c.Path.sub.Mutability == ReadOnly {
			return nil, false
		}
		if old, twice := out[c.Path.Sub]; twice && old != c.Value {
			return nil, false
		}
		out[c.Path.Sub] = c.Value
	}
	return out, true
}

// remove performs remove on a known, writable target (RFC 7644, section 3.5.2.2). What is not there needs no removal.
// Entra, in its older mode, gives the values to take out of a multi-valued attribute; the others stay.
func (e *editor) remove(g Target, v any) error {
	p := g.Path
	switch {
	case p.Attr == "":
		if p.extension {
			delete(e.r, p.Schema)
		}
	case p.attr.Required && p.Sub == "":
		return Mutability("%s is required and cannot be removed", p)
	case g.Filter != nil && !p.attr.MultiValued:
		return InvalidPath("%s has a single value: no filter can select from it", p.Attr)
	case p.attr.MultiValued && p.Sub == "" && g.Filter == nil && v != nil:
		return e.removeGiven(p, v)
	case p.attr.MultiValued && (p.Sub != "" || g.Filter != nil):
		return e.removeMatching(g)
	case p.Sub != "":
		old, _ := e.get(p).(map[string]any)
		e.put(p, merge(p.attr, old, map[string]any{p.Sub: nil}))
	default:
		e.put(p, nil)
	}
	return nil
}

func (e *editor) removeMatching(g Target) error {
	list := e.list(g.Path)
	if err := e.spend(list, terms(g.Filter)); err != nil {
		return err
	}
	for i, element := range list {
		if g.Filter != nil && !matchElement(g.Filter, element) {
			continue
		}
		m, ok := element.(map[string]any)
		if !ok || g.Path.Sub == "" {
			list[i] = nil
		} else {
			list[i] = merge(g.Path.attr, m, map[string]any{g.Path.Sub: nil})
		}
	}
	e.putList(g.Path, list, -1)
	return nil
}

// terms counts the comparisons of a filter; none at all still costs a look at each value.
func terms(f Filter) int {
	n := 0
	switch f := f.(type) {
	case And:
		for _, t := range f.Terms {
			n += terms(t)
		}
	case Or:
		for _, t := range f.Terms {
			n += terms(t)
		}
	case Not:
		n = terms(f.Term)
	}
	return max(n, 1)
}

func (e *editor) removeGiven(p Path, v any) error {
	v, err := e.c.list(p.attr, v, p.String())
	if err != nil {
		return err
	}
	given, _ := v.([]any)
	if err := e.spend(e.list(p), len(given)); err != nil {
		return err
	}
	list := slices.DeleteFunc(e.list(p), func(element any) bool {
		old, isMap := element.(map[string]any)
		return slices.ContainsFunc(given, func(g any) bool {
			m, _ := g.(map[string]any)
			return isMap && m != nil && contains(old, m) || !isMap && equalValues(element, g)
		})
	})
	e.putList(p, list, -1)
	return nil
}
