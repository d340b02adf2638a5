package scim

import (
	"cmp"
	"strings"
)

// Match evaluates a filter over a resource (RFC 7644, section 3.4.2.2). Text compares by caseExact; without it by its
// folded key. Dates compare by time. What the type doesn't define has no value (section 3.4.2.1). A nil filter matches
// everything.
func Match(f Filter, r Resource) bool {
	return match(f, func(p Path) []any { return r.values(p) })
}

// matchElement evaluates a value filter over one value of a multi-valued attribute.
func matchElement(f Filter, element any) bool {
	return match(f, func(p Path) []any {
		if m, ok := element.(map[string]any); ok {
			return flatten(m[p.Sub])
		}
		return []any{element}
	})
}

func match(f Filter, values func(Path) []any) bool {
	switch f := f.(type) {
	case And:
		for _, t := range f.Terms {
			if !match(t, values) {
				return false
			}
		}
		return true
	case Or:
		for _, t := range f.Terms {
			if match(t, values) {
				return true
			}
		}
		return false
	case Not:
		return !match(f.Term, values)
	case Present:
		for _, v := range values(f.Path) {
			if !isEmpty(v) {
				return true
			}
		}
		return false
	case Compare:
		return compareAny(f, values(f.Path))
	case ValuePath:
		for _, e := range values(f.Path) {
			if matchElement(f.Filter, e) {
				return true
			}
		}
		return false
	}
	return true
}

// values returns what the resource has at a path, each value of a multi-valued attribute by itself.
func (r Resource) values(p Path) []any {
	if !p.Known() {
		return nil
	}
	holder := map[string]any(r)
	if p.extension {
		holder, _ = r[p.Schema].(map[string]any)
	}
	found := flatten(holder[p.Attr])
	if p.Sub == "" || p.attr != nil && p.attr.Type != Complex {
		return found
	}
	var out []any
	for _, e := range found {
		if m, ok := e.(map[string]any); ok {
			out = append(out, flatten(m[p.Sub])...)
		}
	}
	return out
}

func flatten(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	}
	return []any{v}
}

func compareAny(f Compare, have []any) bool {
	some := false
	for _, v := range have {
		if isEmpty(v) {
			continue
		}
		some = true
		if compareOne(f, v) {
			return true
		}
	}
	return !some && f.Op == NotEqual
}

func compareOne(f Compare, have any) bool {
	a := f.Path.Leaf()
	switch want := f.Value.(type) {
	case string:
		have, ok := have.(string)
		if !ok {
			return f.Op == NotEqual
		}
		if a != nil && a.Type == DateTime && !f.Op.substring() {
			return compareTime(f.Op, have, want)
		}
		if a == nil || !a.CaseExact {
			switch {
			case f.Op == Equal || f.Op == NotEqual:
				return sameFolded(have, want) == (f.Op == Equal)
			case f.Op.substring():
				have, want = Fold(have), FoldPart(want)
			default:
				have, want = Fold(have), Fold(want)
			}
		}
		return compareText(f.Op, have, want)
	case bool:
		have, ok := have.(bool)
		return (f.Op == Equal && ok && have == want) || (f.Op == NotEqual && (!ok || have != want))
	}
	x, okHave := number(have)
	y, okWant := number(f.Value)
	if !okHave || !okWant {
		return f.Op == NotEqual
	}
	return ordered(f.Op, cmp.Compare(x, y))
}

func compareTime(op CompareOp, have, want string) bool {
	x, okHave := parseTime(have)
	y, okWant := parseTime(want)
	if !okHave || !okWant {
		return op == NotEqual
	}
	return ordered(op, x.Compare(y))
}

func compareText(op CompareOp, have, want string) bool {
	switch op {
	case Contains:
		return strings.Contains(have, want)
	case StartsWith:
		return strings.HasPrefix(have, want)
	case EndsWith:
		return strings.HasSuffix(have, want)
	}
	return ordered(op, strings.Compare(have, want))
}

func ordered(op CompareOp, order int) bool {
	switch op {
	case Equal:
		return order == 0
	case NotEqual:
		return order != 0
	case Greater:
		return order > 0
	case GreaterOrEqual:
		return order >= 0
	case Less:
		return order < 0
	case LessOrEqual:
		return order <= 0
	}
	return false
}
