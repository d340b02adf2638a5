package api

import (
	"context"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func (a *API) wireToken(t *roster.Token) client.Token {
	out := client.Token{
		ID: t.ID, Name: t.Name, Connection: optional(t.ConnectionName), ExpiresAt: optionalTime(t.ExpiresAt), Disabled: t.Disabled,
		LastUsedAt: optionalTime(t.LastUsedAt), CreatedAt: t.CreatedAt, Rate: t.Rate,
	}
	if days, expires := t.DaysLeft(a.now()); expires {
		out.DaysLeft = &days
	}
	for _, p := range t.Sources {
		if p.IsSingleIP() {
			out.From = append(out.From, p.Addr().String())
		} else {
			out.From = append(out.From, p.String())
		}
	}
	return out
}

func tokenID(t *roster.Token) string { return t.ID }

type orgListInput struct {
	InOrg
	InPage
}

func (a *API) listTokens(ctx context.Context, s scope, in *orgListInput) (client.Page[client.Token], error) {
	all, err := a.store.Tokens(ctx, s.org.ID)
	if err != nil {
		return client.Page[client.Token]{}, err
	}
	items, next, err := pageOf(in.InPage, all, tokenID)
	return mapped(items, next, a.wireToken), err
}

type createTokenInput struct {
	InOrg
	Body client.NewToken
}

// createToken makes a token. Where the organisation has exactly one connection, that is what it is bound to by default.
func (a *API) createToken(ctx context.Context, s scope, in *createTokenInput) (client.Token, error) {
	none := client.Token{}
	called, err := name("a token", in.Body.Name)
	if err != nil {
		return none, err
	}
	expires, err := a.expiry(in.Body.Expires)
	if err != nil {
		return none, err
	}
	t := roster.Token{Name: called, ExpiresAt: expires, Rate: in.Body.Rate}
	if t.Sources, err = roster.ParseSources(in.Body.From); err != nil {
		return none, err
	}
	if t.Connection, t.ConnectionName, err = a.tokenConnection(ctx, s, in.Body.Connection); err != nil {
		return none, err
	}
	var plain string
	t.ID, plain, t.Hash = roster.MintToken()
	outs, err := a.commit(ctx, s.caller, s.org.ID, roster.TokenCreate{Token: t})
	if err != nil {
		return none, err
	}
	made := a.wireToken(outs[0].Token)
	made.Token = plain
	return made, nil
}

func (a *API) tokenConnection(ctx context.Context, s scope, asked string) (id, called string, err error) {
	if asked != "" {
		c, err := a.connection(ctx, s, asked)
		return c.ID, c.Name, err
	}
	all, err := a.store.Connections(ctx, s.org.ID)
	if err != nil || len(all) != 1 {
		return "", "", err
	}
	return all[0].ID, all[0].Name, nil
}

type tokenInput struct {
	InOrg
	Token string `path:"token" doc:"id or name"`
}

// token finds a token by id, or by name.
func (a *API) token(ctx context.Context, s scope, key string) (roster.Token, error) {
	all, err := a.store.Tokens(ctx, s.org.ID)
	if err != nil {
		return roster.Token{}, err
	}
	return pick("token", key, all, tokenID, func(t *roster.Token) string { return t.Name })
}

// pick finds one item by id, or by name where only one has it.
func pick[T any](what, key string, all []T, id, called func(*T) string) (T, error) {
	var none T
	var found []int
	for i := range all {
		if id(&all[i]) == key {
			return all[i], nil
		}
		if called(&all[i]) == key {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return none, roster.Errorf(roster.NotFound, "no %s %q", what, key)
	case 1:
		return all[found[0]], nil
	}
	return none, roster.Errorf(roster.NotFound, "several are called %q: give the id of one %s", key, what)
}

func (a *API) switchToken(off bool) func(context.Context, scope, *tokenInput) (client.Token, error) {
	return func(ctx context.Context, s scope, in *tokenInput) (client.Token, error) {
		t, err := a.token(ctx, s, in.Token)
		if err != nil {
			return client.Token{}, err
		}
		outs, err := a.commit(ctx, s.caller, s.org.ID, roster.TokenSet{ID: t.ID, Disabled: off})
		if err != nil {
			return client.Token{}, err
		}
		return a.wireToken(outs[0].Token), nil
	}
}

type limitTokenInput struct {
	InOrg
	Token string `path:"token" doc:"id or name"`
	Body  client.TokenLimits
}

func (a *API) limitToken(ctx context.Context, s scope, in *limitTokenInput) (client.Token, error) {
	none := client.Token{}
	t, err := a.token(ctx, s, in.Token)
	if err != nil {
		return none, err
	}
	change := roster.TokenLimit{ID: t.ID, Rate: in.Body.Rate}
	if in.Body.From != nil {
		sources, err := roster.ParseSources(in.Body.From)
		if err != nil {
			return none, err
		}
		change.Sources = &sources
	}
	outs, err := a.commit(ctx, s.caller, s.org.ID, change)
	if err != nil {
		return none, err
	}
	return a.wireToken(outs[0].Token), nil
}

type checkTokenInput struct {
	InOrg
	Body client.CheckToken
}

// checkToken says what is wrong with a token. Of one that isn't the organisation's own it says no more than that.
func (a *API) checkToken(ctx context.Context, s scope, in *checkTokenInput) (client.TokenCheck, error) {
	stranger := client.TokenCheck{Problems: []string{
		"there is no such token in this organisation: it was deleted, or belongs to another one; make one with `rosterd token create`",
	}}
	id, hash, ok := roster.ParseSecret(roster.TokenPrefix, strings.TrimSpace(in.Body.Token))
	if !ok {
		return client.TokenCheck{Problems: []string{
			"it is not as rosterd makes them: a part is missing, or a letter was changed; copy it again, or make another one",
		}}, nil
	}
	t, _, err := a.store.TokenByID(ctx, id)
	switch {
	case roster.CodeOf(err) == roster.NotFound:
		return stranger, nil
	case err != nil:
		return client.TokenCheck{}, err
	case t.Org != s.org.ID || !roster.SameSecret(t.Hash, hash):
		return stranger, nil
	}
	wire := a.wireToken(&t)
	out := client.TokenCheck{Token: &wire, Problems: []string{}}
	if t.Disabled {
		out.Problems = append(out.Problems, "it is disabled: `rosterd token enable`")
	}
	if t.Expired(a.now()) {
		out.Problems = append(out.Problems, "it expired at "+t.ExpiresAt.UTC().Format(time.RFC3339)+": make another one with `rosterd token create`")
	}
	if !s.org.SCIM {
		out.Problems = append(out.Problems, "SCIM is switched off for the organisation: `rosterd org scim on`")
	}
	out.OK = len(out.Problems) == 0
	return out, nil
}

func (a *API) deleteToken(ctx context.Context, s scope, in *tokenInput) error {
	t, err := a.token(ctx, s, in.Token)
	if err != nil {
		return err
	}
	_, err = a.commit(ctx, s.caller, s.org.ID, roster.TokenDelete{ID: t.ID})
	return err
}
