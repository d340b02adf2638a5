package scimserver

import (
	"net/http"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// serviceProviderConfig is GET /ServiceProviderConfig (RFC 7644, section 4).
func (x *exchange) serviceProviderConfig() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	return x.sendJSON(scim.NewServiceProviderConfig(x.base, x.s.capabilities()))
}

// capabilities is what the service can do.
func (s *Server) capabilities() scim.Capabilities {
	return scim.Capabilities{
		MaxResults: s.limits.maxPage, ETag: true, Sort: true, Bulk: s.bulkSupport(),
		Pagination: &scim.PaginationSupport{
			Cursor: true, Index: true, DefaultMethod: "index", DefaultSize: s.limits.page, MaxSize: s.limits.maxPage,
			CursorTimeout: int(cursorTime.Seconds()),
		},
	}
}

// users is the type User as the organisation has it.
func (x *exchange) users() *scim.ResourceType {
	if len(x.s.own) == 0 {
		return x.s.users
	}
	if t := x.s.own[roster.Fold(x.org.Name)]; t != nil {
		return t
	}
	return x.s.users
}

// types are the resource types. Who shows a token on the open pages of discovery is shown the organisation's own.
func (x *exchange) types() []*scim.ResourceType {
	if x.org.ID == "" && len(x.s.own) > 0 {
		x.recognise()
	}
	return []*scim.ResourceType{x.users(), x.s.groups}
}

// resourceTypes is GET /ResourceTypes.
func (x *exchange) resourceTypes() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	var docs []scim.ResourceTypeDocument
	for _, t := range x.types() {
		docs = append(docs, t.At(x.base))
	}
	return x.sendJSON(scim.NewListResponse(docs, len(docs), 1))
}

// resourceType is GET /ResourceTypes/{name}.
func (x *exchange) resourceType() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	for _, t := range x.types() {
		if strings.EqualFold(t.Name, x.arg) {
			return x.sendJSON(t.At(x.base))
		}
	}
	return scim.NewError(http.StatusNotFound, "no resource type %q", clip(x.arg))
}

// schemas is GET /Schemas: those of resources (RFC 7644, section 4).
func (x *exchange) schemas() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	var docs []scim.SchemaDocument
	for _, t := range x.types() {
		for _, s := range t.Schemas() {
			docs = append(docs, s.At(x.base))
		}
	}
	return x.sendJSON(scim.NewListResponse(docs, len(docs), 1))
}

// schema is GET /Schemas/{urn}. Beside those of resources, which the list has, it knows the schemas of the discovery
// documents (RFC 7643, section 8.7.2).
func (x *exchange) schema() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	known := scim.ServiceSchemas()
	for _, t := range x.types() {
		known = append(known, t.Schemas()...)
	}
	for _, s := range known {
		if strings.EqualFold(s.ID, x.arg) {
			return x.sendJSON(s.At(x.base))
		}
	}
	return scim.NewError(http.StatusNotFound, "no schema %q", clip(x.arg))
}

// noFilter refuses a filter on discovery, as RFC 7644, section 4 asks for.
func (x *exchange) noFilter() error {
	for name := range x.query {
		if strings.EqualFold(name, "filter") {
			return scim.NewError(http.StatusForbidden, "discovery takes no filter")
		}
	}
	return nil
}

// clip shortens what a client sent for a message.
func clip(s string) string { return printable(s, 120) }
