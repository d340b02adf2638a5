package scim

import (
	"encoding/json"
	"math"
	"strings"
)

// MaxValues bounds the values of one multi-valued attribute; the members of a group are not bounded.
const MaxValues = 500

// maxInteger is the largest whole number that every reader of JSON keeps as it is (RFC 8259, section 6). A larger one is
// refused: it would come back as another.
const maxInteger = 1<<53 - 1

// coercer makes what a client sent fit its schema. A cleared value (null, "" or []) becomes nil.
type coercer struct {
	// unwrap takes a list of one where a single value belongs, and {"value": x} for x, as Entra's PATCH sends them.
	unwrap bool
}

// value coerces what was sent for an attribute as a whole. at names it in errors.
func (c coercer) value(a *Attribute, v any, at string) (any, error) {
	if a.MultiValued {
		return c.list(a, v, at)
	}
	if a.Type != Complex {
		return c.simple(a, v, at)
	}
	parts, err := c.parts(a, v, at)
	if err != nil {
		return nil, err
	}
	return compact(parts), nil
}

// compact drops cleared sub-attributes; nothing left is nil.
func compact(parts map[string]any) any {
	for k, v := range parts {
		if v == nil {
			delete(parts, k)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return parts
}

func (c coercer) single(v any, at string) (any, error) {
	list, ok := v.([]any)
	if !ok || !c.unwrap {
		return v, nil
	}
	switch len(list) {
	case 0:
		return nil, nil
	case 1:
		return list[0], nil
	}
	return nil, InvalidValue("%s has a single value, not %d", at, len(list))
}

// parts reads the sub-attributes of one complex value, canonical names first to last spelling; a cleared one is nil in
// the result. A plain text stands for the sub-attribute "value".
func (c coercer) parts(a *Attribute, v any, at string) (map[string]any, error) {
	v, err := c.single(v, at)
	if err != nil || isEmpty(v) {
		return nil, err
	}
	if _, ok := v.(string); ok && a.Sub("value") != nil {
		v = map[string]any{"value": v}
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, InvalidValue("%s must be an object, not %s", at, kindOf(v))
	}
	out := map[string]any{}
	for _, k := range sortedKeys(obj) {
		sub := a.Sub(k)
		if sub == nil || sub.Mutability == ReadOnly {
			continue
		}
		if out[sub.Name], err = c.value(sub, obj[k], at+"."+sub.Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// list reads the values of a multi-valued attribute; a value not in a list is a list of one.
func (c coercer) list(a *Attribute, v any, at string) (any, error) {
	if isEmpty(v) {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) > MaxValues {
		return nil, InvalidValue("%s has more than %d values", at, MaxValues)
	}
	var out []any
	for _, e := range list {
		e, err := c.element(a, e, at)
		if err != nil {
			return nil, err
		}
		if e != nil {
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	keepOnePrimary(out, -1)
	return out, nil
}

// element reads one value of a multi-valued attribute.
func (c coercer) element(a *Attribute, v any, at string) (any, error) {
	if a.Type != Complex {
		single := *a
		single.MultiValued = false
		return c.simple(&single, v, at)
	}
	if _, nested := v.([]any); nested {
		return nil, InvalidValue("%s has a list within its list", at)
	}
	parts, err := coercer{}.parts(a, v, at)
	if err != nil {
		return nil, err
	}
	return compact(parts), nil
}

// keepOnePrimary lets "primary": true stand once at most (RFC 7643, section 2.4): at the given index, else at the last.
func keepOnePrimary(list []any, keep int) {
	for i := len(list) - 1; i >= 0; i-- {
		m, _ := list[i].(map[string]any)
		if primary, _ := m["primary"].(bool); !primary {
			continue
		}
		if keep < 0 {
			keep = i
		}
		if i != keep {
			m["primary"] = false
		}
	}
}

// simple reads a value that is not complex.
func (c coercer) simple(a *Attribute, v any, at string) (any, error) {
	v, err := c.single(v, at)
	if err != nil {
		return nil, err
	}
	if obj, ok := v.(map[string]any); ok && c.unwrap {
		if inner, has := member(obj, "value"); has {
			v = inner
		}
	}
	if s, ok := v.(string); v == nil || ok && s == "" {
		return nil, nil
	}
	var ok bool
	switch a.Type {
	case Boolean:
		v, ok = asBool(v)
	case Integer, Decimal:
		v, ok = asNumber(a.Type, v)
		if f, is := number(v); is && a.Type == Integer && math.Abs(f) > maxInteger {
			return nil, InvalidValue("%s is too large: a whole number is kept exactly from -%d to %d", at, maxInteger, maxInteger)
		}
	default:
		v, ok = asText(a, v)
	}
	if !ok {
		return nil, InvalidValue("%s must be of type %s, not %s", at, a.Type, describe(v))
	}
	if s, isText := v.(string); isText && len(s) > a.maxBytes() {
		return nil, InvalidValue("%s is longer than %d bytes", at, a.maxBytes())
	}
	return v, nil
}

// describe shows a short text itself, as it may be "yes" for a boolean, and only the type of anything else.
func describe(v any) string {
	if s, ok := v.(string); ok {
		return quote(s)
	}
	return kindOf(v)
}

func asBool(v any) (any, bool) {
	if s, ok := v.(string); ok {
		if b, ok := parseBool(strings.TrimSpace(s)); ok {
			return b, true
		}
	}
	_, ok := v.(bool)
	return v, ok
}

func asNumber(kind Type, v any) (any, bool) {
	if s, ok := v.(string); ok && json.Valid([]byte(s)) {
		v = json.Number(s)
	}
	f, ok := number(v)
	if n, isJSON := v.(json.Number); ok && isJSON && kind == Integer {
		if i, ok := parseInteger(string(n)); ok {
			return i, true
		}
		return v, false
	}
	if !ok {
		return v, false
	}
	return f, true
}

// asText takes a number for a text, as an IdP's attribute may be numeric where ours isn't; not for what identifies, or has to
// be there.
func asText(a *Attribute, v any) (any, bool) {
	if n, ok := v.(json.Number); ok && a.Type == String && a.Uniqueness == UniqueNone && !a.Required {
		return string(n), true
	}
	s, ok := v.(string)
	if ok && a.Type == DateTime {
		_, ok = parseTime(s)
	}
	return v, ok && !strings.ContainsRune(s, 0)
}
