package client

import (
	"context"
	"net/http"
)

// AskPreview names the person whom a connection is previewed for.
type AskPreview struct {
	User string `json:"user" minLength:"1" maxLength:"1000" doc:"id, userName, email, externalId or the IdP's id"`
}

// Preview is what a connection makes of one person. Nothing was written.
type Preview struct {
	Organisation string             `json:"organisation"`
	Connection   string             `json:"connection"`
	Key          string             `json:"key"`
	ObjectID     string             `json:"object_id" doc:"the IdP's; empty: nobody there is meant by the key"`
	Found        bool               `json:"found" doc:"the IdP knows them"`
	InScope      bool               `json:"in_scope"`
	Enabled      bool               `json:"enabled"`
	Scope        string             `json:"scope,omitempty" doc:"why they are in scope, or are not"`
	Read         map[string]string  `json:"read" doc:"the IdP's attributes that the mapping reads"`
	Attributes   []PreviewAttribute `json:"attributes"`
	There        string             `json:"there"`
	Here         string             `json:"here"`
	MemberID     *string            `json:"member_id" doc:"whom they are, or would be linked to"`
	Link         string             `json:"link" enum:"linked,would_link,would_move,would_adopt,would_create,conflict,none"`
	Rule         string             `json:"rule,omitempty" doc:"the rule that made, or would make, the link"`
	Teams        []string           `json:"teams" doc:"those whose groups hold them"`
	Would        []string           `json:"would" doc:"what a resync would do"`
	Left         []string           `json:"left" doc:"what it would leave as it is, and why"`
	Unjudged     []string           `json:"unjudged" doc:"why memberships could not be compared"`
}

// PreviewAttribute is one line of the mapping, worked out for the person.
type PreviewAttribute struct {
	Target  string `json:"target" doc:"the member's attribute, or active; scope for the connection's expression of who is in scope"`
	Source  string `json:"source" doc:"the IdP's attribute, or = and an expression"`
	Value   string `json:"value"`
	Stored  string `json:"stored"`
	State   string `json:"state" enum:"new,same,differs,empty,clears,problem"`
	Problem string `json:"problem,omitempty"`
}

// PreviewConnection says what a connection makes of one person, and writes nothing.
func (c *Client) PreviewConnection(ctx context.Context, org, name string, ask AskPreview) (Preview, error) {
	return call[Preview](ctx, c, http.MethodPost, path("orgs", org, "connections", name, "preview"), nil, ask)
}

// JobMapping is how the IdP's own job maps people, as the connection's mapping would have it.
type JobMapping struct {
	Organisation string        `json:"organisation"`
	Connection   string        `json:"connection"`
	Mapping      []MappingLine `json:"mapping"`
	Left         []MappingLeft `json:"left" doc:"what could not be translated"`
}

// MappingLine is one line of a connection's mapping.
type MappingLine struct {
	Target string `json:"target"`
	Source string `json:"source" doc:"the IdP's attribute, = and an expression, or none"`
	From   string `json:"from,omitempty" doc:"what the job takes it from, as the IdP writes it"`
	Unsent bool   `json:"unsent,omitempty" doc:"the job does not send it; without the line runs would write it"`
}

// MappingLeft is what could not be translated, and why.
type MappingLeft struct {
	Target string `json:"target"`
	From   string `json:"from,omitempty"`
	Why    string `json:"why"`
}

// JobMapping reads how the IdP's own job maps people.
func (c *Client) JobMapping(ctx context.Context, org, name string) (JobMapping, error) {
	return call[JobMapping](ctx, c, http.MethodPost, path("orgs", org, "connections", name, "job-mapping"), nil, nil)
}
