package scimserver

import (
	"slices"
	"strings"

	"github.com/rosterd/rosterd/scimserver/scim"
)

// quirks names what was tolerated of a request, for the request log: another server, or this client's next version, may
// stumble over it.
func (x *exchange) quirks() string {
	if x.trace.quirks == nil {
		x.trace.quirks = x.findQuirks()
	}
	return strings.Join(x.trace.quirks, ", ")
}

func (x *exchange) findQuirks() []string {
	found := []string{}
	note := func(is bool, name string) {
		if is {
			found = append(found, name)
		}
	}
	path := x.r.URL.EscapedPath()
	note(strings.Contains(path, "//"), "double slash")
	note(strings.HasSuffix(path, "/"), "slash at the end")
	note(len(strings.Fields(x.r.Header.Get("Authorization"))) == 3, "Bearer twice")
	if len(x.body) == 0 {
		return found
	}
	note(strings.TrimSpace(x.r.Header.Get("Content-Type")) == "", "no Content-Type")
	_, rest, _ := splitPath(path)
	types := map[string]*scim.ResourceType{"Users": x.users(), "Groups": x.s.groups}
	if len(rest) > 0 && types[rest[0]] != nil && !slices.Contains(rest, ".search") {
		for _, q := range scim.Quirks(types[rest[0]], x.r.Method, x.body) {
			found = append(found, string(q))
		}
	}
	return found
}
