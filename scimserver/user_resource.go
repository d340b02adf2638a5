package scimserver

import (
	"maps"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// userOf renders a member as a User (RFC 7643, section 4.1). What stands in groups counts only for a member who is
// pending or active.
func (x *exchange) userOf(m *roster.Member, groups []store.Ref) scim.Resource {
	r := scim.Resource(maps.Clone(map[string]any(m.Attributes)))
	r["id"] = m.ID
	r["active"] = m.Status.Live()
	r["meta"] = x.meta(x.users(), m.ID, m.Version, m.CreatedAt, m.UpdatedAt)
	if len(groups) > 0 && m.Status.Live() {
		list := make([]any, len(groups))
		for i, g := range groups {
			list[i] = map[string]any{
				"value": g.ID, "display": g.Name, "type": "direct", "$ref": x.location(x.s.groups, g.ID),
			}
		}
		r["groups"] = list
	}
	r["schemas"] = scim.SchemasOf(x.users(), r)
	return r
}

// attributesOf is what the roster keeps of a User: not what the service itself owns.
func attributesOf(r scim.Resource) roster.Attributes {
	out := maps.Clone(map[string]any(r))
	for _, name := range []string{"id", "schemas", "meta", "active", "groups", "password"} {
		delete(out, name)
	}
	return out
}

// activeOf returns what a User says of "active"; nil: nothing.
func activeOf(r scim.Resource) *bool {
	if v, ok := r["active"].(bool); ok {
		return &v
	}
	return nil
}

// meta is the resource's metadata (RFC 7643, section 3.1).
func (x *exchange) meta(t *scim.ResourceType, id string, version int64, created, modified time.Time) map[string]any {
	return map[string]any{
		"resourceType": t.Name,
		"created":      created.UTC().Format(time.RFC3339Nano),
		"lastModified": modified.UTC().Format(time.RFC3339Nano),
		"location":     x.location(t, id),
		"version":      etag(version),
	}
}

func (x *exchange) location(t *scim.ResourceType, id string) string {
	return x.base + t.Endpoint + "/" + id
}

// possibleID reports whether a text can be the id of anything here. What can't, such as one with a NUL, never reaches the
// database.
func possibleID(s string) bool {
	const uuidLen = 36
	return len(s) == uuidLen && strings.IndexFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'f')
	}) < 0
}
