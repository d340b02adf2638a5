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
