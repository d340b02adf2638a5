package scim

import "strings"

// DecodeResource reads the body of a POST or PUT (RFC 7644, sections 3.3 and 3.5.1) into canonical form, as tolerantly
// as identity providers need:
//
//   - names are taken in any case; "schemas" may be missing or wrong; unknown attributes and extensions are ignored, and
//     so are read-only ones (RFC 7644, section 3.3); a password is dropped;
//   - null, "" and [] clear; booleans and numbers may come in quotes; a value not in a list is a list of one; a plain text
//     for a complex value is its "value";
//   - keys may be dotted, URN-qualified or value paths, as in emails[type eq "work"].value;
//   - of several primary values the last stays primary.
//
// Whether required attributes are there is for Validate to say. The members of a group lose their $ref and repetitions.
func DecodeResource(t *ResourceType, body []byte) (Resource, error) {
	obj, err := decodeObject(body)
	if err != nil {
		return nil, err
	}
	return decodeMap(t, obj)
}

func decodeMap(t *ResourceType, obj map[string]any) (Resource, error) {
	r := Resource{}
	rest, members, err := splitMembers(t, obj)
	if err != nil {
		return nil, err
	}
	if len(members) > 0 {
		r["members"] = members
	}
	e := editor{t: t, r: r}
	for k, v := range rest {
		// Required attributes that are empty are absent, which Validate reports.
		if s, ok := v.(string); v == nil || ok && s == "" {
			delete(rest, k)
		}
	}
	if err := e.object(Replace, rest); err != nil {
		return nil, err
	}
	e.prune()
	return r, nil
}

// splitMembers takes the members of a group out of its body: they are too many for the general rules.
func splitMembers(t *ResourceType, obj map[string]any) (rest map[string]any, members []any, err error) {
	rest = make(map[string]any, len(obj))
	for _, k := range sortedKeys(obj) {
		v := obj[k]
		if t.isMembers(k) {
			if members, err = decodeMembers(v); err != nil {
				return nil, nil, err
			}
			continue
		}
		rest[k] = v
	}
	return rest, members, nil
}

func (t *ResourceType) isMembers(name string) bool {
	p, ok := t.resolve(name)
	return ok && t.Schema.ID == GroupURN && p.Attr == "members" && p.Sub == "" && p.attr != nil
}

func decodeMembers(v any) ([]any, error) {
	if isEmpty(v) {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]any, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		id, err := memberID(e)
		if err != nil {
			return nil, err
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		m := map[string]any{"value": id}
		if obj, ok := e.(map[string]any); ok {
			for _, name := range []string{"display", "type"} {
				given, _ := member(obj, name)
				if s, _ := given.(string); s != "" && len(s) <= DefaultMaxBytes {
					m[name] = s
				}
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// memberID reads one member: an object with a "value", or with a $ref that ends in it, or the plain id.
func memberID(v any) (string, error) {
	if obj, ok := v.(map[string]any); ok {
		if v, ok = member(obj, "value"); isEmpty(v) {
			if ref, _ := member(obj, "$ref"); !isEmpty(ref) {
				v, ok = lastSegment(ref), true
			}
		}
		if !ok {
			return "", InvalidValue("a member must have a value: the id of a user or group")
		}
	}
	id, ok := v.(string)
	switch {
	case !ok:
		return "", InvalidValue("a member's value must be an id in a string, not %s", kindOf(v))
	case strings.TrimSpace(id) == "":
		return "", InvalidValue("a member's value must not be empty")
	case len(id) > KeyMaxBytes:
		return "", InvalidValue("a member's value is longer than %d bytes", KeyMaxBytes)
	}
	return id, nil
}

// lastSegment returns the id at the end of a resource's URI.
func lastSegment(ref any) any {
	s, ok := ref.(string)
	if !ok {
		return ref
	}
	s = strings.TrimRight(s, "/")
	return s[strings.LastIndexByte(s, '/')+1:]
}

// Validate reports the first required attribute that a resource lacks: userName for a User (RFC 7643, section 4.1.1),
// displayName for a Group (section 4.2). White space alone is no value.
func Validate(t *ResourceType, r Resource) error {
	for i := range t.Schema.Attributes {
		a := &t.Schema.Attributes[i]
		if !a.Required {
			continue
		}
		v := r[a.Name]
		if s, ok := v.(string); isEmpty(v) || ok && strings.TrimSpace(s) == "" {
			return InvalidValue("%s is required", a.Name)
		}
	}
	return nil
}
