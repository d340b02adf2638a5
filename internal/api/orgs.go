package api

import (
	"context"
	"strings"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func wireOrg(o *roster.Organisation) client.Organisation {
	return client.Organisation{ID: o.ID, Name: o.Name, SCIM: o.SCIM, CreatedAt: o.CreatedAt}
}

// socketOnly refuses a key what concerns all organisations.
func socketOnly(c caller, what string) error {
	if c.local() {
		return nil
	}
	return roster.Errorf(roster.Forbidden,
		"%s works over the daemon's socket only: an API key belongs to one organisation; run the command on the daemon's machine", what)
}

type listInput struct{ InPage }

func (a *API) listOrgs(ctx context.Context, c caller, in *listInput) (client.Page[client.Organisation], error) {
	none := client.Page[client.Organisation]{}
	if err := socketOnly(c, "listing organisations"); err != nil {
		return none, err
	}
	all, err := a.store.Organisations(ctx)
	if err != nil {
		return none, err
	}
	items, next, err := pageOf(in.InPage, all, func(o *roster.Organisation) string { return roster.Fold(o.Name) })
	return mapped(items, next, wireOrg), err
}

type createOrgInput struct{ Body client.NewOrganisation }

// createOrg makes an organisation; SCIM is off until it is switched on.
func (a *API) createOrg(ctx context.Context, c caller, in *createOrgInput) (client.Organisation, error) {
	none := client.Organisation{}
	if err := socketOnly(c, "making an organisation"); err != nil {
		return none, err
	}
	called, err := name("an organisation", in.Body.Name)
	if err != nil {
		return none, err
	}
	taken := roster.Errorf(roster.Conflict, "an organisation %q exists already", called)
	switch _, err := a.store.Organisation(ctx, called); roster.CodeOf(err) {
	case "":
		return none, taken
	case roster.NotFound:
	default:
		return none, err
	}
	id := roster.NewID()
	switch _, err = a.commit(ctx, c, id, roster.OrgCreate{ID: id, Name: called}); roster.CodeOf(err) {
	case "":
	case roster.Conflict: // made by another in between
		return none, taken
	default:
		return none, err
	}
	made, err := a.store.Organisation(ctx, id)
	return wireOrg(&made), err
}

// orgsOf returns the organisations that a caller sees.
func (a *API) orgsOf(ctx context.Context, c caller) ([]roster.Organisation, error) {
	if c.local() {
		return a.store.Organisations(ctx)
	}
	org, err := a.org(ctx, c, c.Org)
	if err != nil {
		return nil, err
	}
	return []roster.Organisation{org}, nil
}

type scimInput struct{ InOrg }

func (a *API) scim(_ context.Context, s scope, _ *scimInput) (client.SCIMStatus, error) {
	return a.scimStatus(s, s.org.SCIM), nil
}

func (a *API) scimStatus(s scope, on bool) client.SCIMStatus {
	return client.SCIMStatus{Organisation: s.org.Name, Enabled: on, BaseURL: strings.TrimRight(a.publicURL, "/") + scimPath}
}

type setSCIMInput struct {
	InOrg
	Body client.SCIMSwitch
}

func (a *API) setSCIM(ctx context.Context, s scope, in *setSCIMInput) (client.SCIMStatus, error) {
	_, err := a.commit(ctx, s.caller, s.org.ID, roster.OrgSCIM{On: in.Body.Enabled})
	return a.scimStatus(s, in.Body.Enabled), err
}
