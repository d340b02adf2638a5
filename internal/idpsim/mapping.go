package idpsim

import (
	"slices"
	"strings"
)

const (
	workEmail        = `emails[type eq "work"].value`
	enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	userSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	departmentPath   = enterpriseSchema + ":department"
)

// attr is one mapped attribute: its SCIM path and the value that the source gives it.
type attr struct{ path, value string }

// userAttrs maps a person. active follows Switch([IsSoftDeleted], , "False", "True", "True", "False").
func (m Mapping) userAttrs(u User, active bool) []attr {
	out := []attr{
		{"userName", u.UserPrincipalName},
		{"active", yes(active)},
		{workEmail, u.Mail},
		{"displayName", u.DisplayName},
		{"name.givenName", u.GivenName},
		{"name.familyName", u.Surname},
	}
	switch m.UserExternalID {
	case "mailNickname":
		out = append(out, attr{"externalId", u.MailNickname})
	case "objectId":
		out = append(out, attr{"externalId", u.ObjectID})
	}
	if m.Details {
		out = append(out,
			attr{"title", u.JobTitle},
			attr{"name.formatted", strings.TrimSpace(u.GivenName + " " + u.Surname)},
			attr{departmentPath, u.Department})
	}
	// "Entra never sends a cleared value": an empty source is left out.
	return slices.DeleteFunc(out, func(a attr) bool { return a.value == "" })
}

func groupAttrs(g Group) []attr {
	return []attr{{"displayName", g.DisplayName}, {"externalId", g.ObjectID}}
}

// userBody is the body of POST /Users: both schemas though no extension value may be mapped, and empty roles.
func userBody(attrs []attr) object {
	body := object{
		"schemas": []string{userSchema, enterpriseSchema}, "active": true, "meta": object{"resourceType": "User"},
		"roles": []string{},
	}
	names := object{}
	for _, a := range attrs {
		switch {
		case a.path == "active":
			body["active"] = a.value == "True"
		case a.path == workEmail:
			body["emails"] = []object{{"primary": true, "type": "work", "value": a.value}}
		case a.path == departmentPath:
			body[enterpriseSchema] = object{"department": a.value}
		case strings.HasPrefix(a.path, "name."):
			names[strings.TrimPrefix(a.path, "name.")] = a.value
		default:
			body[a.path] = a.value
		}
	}
	if len(names) > 0 {
		body["name"] = names
	}
	return body
}

// groupBody is the body of POST /Groups: members follow in a PATCH.
func groupBody(attrs []attr) object {
	body := object{"schemas": []string{groupSchema}, "meta": object{"resourceType": "Group"}}
	for _, a := range attrs {
		body[a.path] = a.value
	}
	return body
}

// current reads what a resource of the SCIM server has at a path; "" where it has nothing.
func current(resource object, path string) string {
	switch {
	case path == "active":
		if b, ok := resource["active"].(bool); ok {
			return yes(b)
		}
		return ""
	case path == workEmail:
		list, _ := resource["emails"].([]any)
		for _, e := range list {
			if m, ok := e.(object); ok && strings.EqualFold(str(m["type"]), "work") {
				return str(m["value"])
			}
		}
		return ""
	case path == departmentPath:
		ext, _ := resource[enterpriseSchema].(object)
		return str(ext["department"])
	case strings.HasPrefix(path, "name."):
		names, _ := resource["name"].(object)
		return str(names[strings.TrimPrefix(path, "name.")])
	}
	return str(resource[path])
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

// differences returns the operations that bring a resource to attrs: Add where it has nothing, Replace otherwise.
func (p *Pusher) differences(resource object, attrs []attr) []object {
	var ops []object
	for _, a := range attrs {
		have := current(resource, a.path)
		if have == a.value {
			continue
		}
		op := "Replace"
		if have == "" {
			op = "Add"
		}
		if a.path == "active" {
			op = "Replace"
		}
		ops = append(ops, object{"op": p.opName(op), "path": a.path, "value": p.value(a)})
	}
	return ops
}

func (p *Pusher) opName(op string) string {
	if p.cfg.AadOptscim062020 {
		return strings.ToLower(op)
	}
	return op
}

func (p *Pusher) value(a attr) any {
	if a.path == "active" && p.cfg.AadOptscim062020 {
		return a.value == "True"
	}
	return a.value
}

// member is a member's entry in an operation.
func (p *Pusher) member(target string) object {
	if p.cfg.AadOptscim062020 {
		return object{"value": target}
	}
	return object{"$ref": nil, "value": target}
}

// addMembers is one operation for a batch of members.
func (p *Pusher) addMembers(targets []string) []object {
	values := make([]object, 0, len(targets))
	for _, t := range targets {
		values = append(values, p.member(t))
	}
	return []object{{"op": p.opName("Add"), "path": "members", "value": values}}
}

// removeMembers is one operation for each member: by value, which must remove only that one, or with the flag by path.
func (p *Pusher) removeMembers(targets []string) []object {
	ops := make([]object, 0, len(targets))
	for _, t := range targets {
		if p.cfg.AadOptscim062020 {
			ops = append(ops, object{"op": "remove", "path": "members[value eq " + quote(t) + "]"})
			continue
		}
		ops = append(ops, object{"op": "Remove", "path": "members", "value": []object{p.member(t)}})
	}
	return ops
}

func asMap(attrs []attr) map[string]string {
	out := make(map[string]string, len(attrs))
	for _, a := range attrs {
		out[a.path] = a.value
	}
	return out
}

// sameAs says whether every attribute was exported with its value.
func sameAs(attrs []attr, exported map[string]string) bool {
	return !slices.ContainsFunc(attrs, func(a attr) bool { return exported[a.path] != a.value })
}
