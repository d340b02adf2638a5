package scim

import (
	"slices"
	"strings"
)

// Quirk is a deviation from the protocol, or a habit of one identity provider, that a request was taken with all the same.
type Quirk string

// The quirks, as the request log shows them.
const (
	QuirkNoSchemas    Quirk = "no schemas"
	QuirkCapitalOp    Quirk = "capitalised op"
	QuirkSingleOp     Quirk = "one operation without a list"
	QuirkNoPath       Quirk = "value without a path"
	QuirkPathKey      Quirk = "path as a key"
	QuirkQuotedBool   Quirk = "boolean in quotes"
	QuirkQuotedNumber Quirk = "number in quotes"
	QuirkListOfOne    Quirk = "list for a single value"
	QuirkNoList       Quirk = "single value for a list"
	QuirkWrapped      Quirk = "object for a plain value"
	QuirkRemoveValues Quirk = "remove with values"
	QuirkUnknown      Quirk = "unknown attribute"
	QuirkReadOnly     Quirk = "read-only attribute"
)

// maxQuirkBody bounds the body that is looked through. Larger ones are lists of members, whose shape says nothing new.
const maxQuirkBody = 64 << 10

// Quirks says with which deviations a body of a method came for a resource type, each once. It reads the body for itself
// and changes nothing about how it is taken. A body that is no JSON object has none.
func Quirks(t *ResourceType, method string, body []byte) []Quirk {
	if len(body) > maxQuirkBody {
		return nil
	}
	obj, err := decodeObject(body)
	if err != nil {
		return nil
	}
	q := quirks{t: t}
	if v, _ := member(obj, "schemas"); isEmpty(v) {
		q.note(QuirkNoSchemas)
	}
	if method != "PATCH" {
		q.object(obj)
		return q.found
	}
	switch ops, _ := member(obj, "Operations"); ops := ops.(type) {
	case []any:
		for _, op := range ops {
			q.operation(op)
		}
	case map[string]any:
		q.note(QuirkSingleOp)
		q.operation(ops)
	}
	return q.found
}

type quirks struct {
	t     *ResourceType
	found []Quirk
}

func (q *quirks) note(what Quirk) {
	if !slices.Contains(q.found, what) {
		q.found = append(q.found, what)
	}
}

func (q *quirks) operation(v any) {
	obj, _ := v.(map[string]any)
	given, _ := member(obj, "op")
	op, _ := given.(string)
	if op != strings.ToLower(op) {
		q.note(QuirkCapitalOp)
	}
	value, _ := member(obj, "value")
	given, _ = member(obj, "path")
	path, _ := given.(string)
	if path == "" {
		q.note(QuirkNoPath)
		if values, ok := value.(map[string]any); ok {
			q.object(values)
		}
		return
	}
	target, err := ParsePath(q.t, path)
	if err != nil {
		return
	}
	if strings.EqualFold(op, string(Remove)) {
		if !isEmpty(value) {
			q.note(QuirkRemoveValues)
		}
		return
	}
	q.attribute(target, value)
}

// object looks at the attributes of a resource, or of a value without a path.
func (q *quirks) object(obj map[string]any) {
	for _, k := range sortedKeys(obj) {
		if strings.EqualFold(k, "schemas") {
			continue
		}
		target, err := ParsePath(q.t, k)
		if err != nil {
			q.note(QuirkUnknown)
			continue
		}
		if target.Filter != nil || target.Path.Sub != "" || target.Path.Attr != "" && strings.ContainsAny(k, ".:") {
			q.note(QuirkPathKey)
		}
		q.attribute(target, obj[k])
	}
}

// attribute looks at the value of what a path names.
func (q *quirks) attribute(target Target, v any) {
	p := target.Path
	a := p.Leaf()
	switch {
	case p.Attr == "": // a whole schema
		obj, _ := v.(map[string]any)
		for _, k := range sortedKeys(obj) {
			if inner, err := ParsePath(q.t, p.Schema+":"+k); err == nil && p.Schema != "" {
				q.attribute(inner, obj[k])
			}
		}
	case a == nil:
		q.note(QuirkUnknown)
	case hasMutability(p, ReadOnly):
		q.note(QuirkReadOnly)
	case target.Filter != nil && p.Sub == "": // one element of the list
		q.element(a, v)
	default:
		q.value(a, v)
	}
}

func (q *quirks) value(a *Attribute, v any) {
	list, isList := v.([]any)
	switch {
	case isEmpty(v):
	case a.MultiValued && !isList:
		q.note(QuirkNoList)
		q.element(a, v)
	case a.MultiValued:
		for _, e := range list {
			q.element(a, e)
		}
	case isList:
		q.note(QuirkListOfOne)
	default:
		q.element(a, v)
	}
}

// element looks at one value, of a list or by itself.
func (q *quirks) element(a *Attribute, v any) {
	obj, isObject := v.(map[string]any)
	text, isText := v.(string)
	switch {
	case a.Type != Complex && isObject:
		q.note(QuirkWrapped)
	case a.Type == Boolean && isText && text != "":
		q.note(QuirkQuotedBool)
	case (a.Type == Integer || a.Type == Decimal) && isText && text != "":
		q.note(QuirkQuotedNumber)
	case a.Type == Complex:
		for _, k := range sortedKeys(obj) {
			if sub := a.Sub(k); sub != nil && sub.Mutability != ReadOnly {
				q.value(sub, obj[k])
			}
		}
	}
}
