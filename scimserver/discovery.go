package scimserver

import (
	"net/http"
	"strings"

	"github.com/rosterd/rosterd/scimserver/scim"
)

// serviceProviderConfig is GET /ServiceProviderConfig (RFC 7644, section 4).
func (x *exchange) serviceProviderConfig() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	return x.sendJSON(scim.NewServiceProviderConfig(x.base, scim.Capabilities{MaxResults: x.s.limits.maxPage, ETag: true}))
}

func (s *Server) types() []*scim.ResourceType { return []*scim.ResourceType{s.users, s.groups} }

// resourceTypes is GET /ResourceTypes.
func (x *exchange) resourceTypes() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	var docs []scim.ResourceTypeDocument
	for _, t := range x.s.types() {
		docs = append(docs, t.At(x.base))
	}
	return x.sendJSON(scim.NewListResponse(docs, len(docs), 1))
}

// resourceType is GET /ResourceTypes/{name}.
func (x *exchange) resourceType() error {
	for _, t := range x.s.types() {
		if t.Name == x.arg {
			return x.sendJSON(t.At(x.base))
		}
	}
	return scim.NewError(http.StatusNotFound, "no resource type %q", clip(x.arg))
}

// schemas is GET /Schemas.
func (x *exchange) schemas() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	var docs []scim.SchemaDocument
	for _, t := range x.s.types() {
		for _, s := range t.Schemas() {
			docs = append(docs, s.At(x.base))
		}
	}
	return x.sendJSON(scim.NewListResponse(docs, len(docs), 1))
}

// schema is GET /Schemas/{urn}.
func (x *exchange) schema() error {
	for _, t := range x.s.types() {
		for _, s := range t.Schemas() {
			if strings.EqualFold(s.ID, x.arg) {
				return x.sendJSON(s.At(x.base))
			}
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
