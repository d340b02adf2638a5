package api

import (
	"context"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func wireToken(t *roster.Token) client.Token {
	return client.Token{
		ID: t.ID, Name: t.Name, Connection: optional(t.ConnectionName), ExpiresAt: optionalTime(t.ExpiresAt), Disabled: t.Disabled,
		LastUsedAt: optionalTime(t.LastUsedAt), CreatedAt: t.CreatedAt,
	}
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
	return mapped(items, next, wireToken), err
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
	t := roster.Token{Name: called, ExpiresAt: expires}
	if t.Connection, t.ConnectionName, err = a.tokenConnection(ctx, s, in.Body.Connection); err != nil {
		return none, err
	}
	var plain string
	t.ID, plain, t.Hash = roster.MintToken()
	outs, err := a.commit(ctx, s.caller, s.org.ID, roster.TokenCreate{Token: t})
	if err != nil {
		return none, err
	}
	made := wireToken(outs[0].Token)
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
		return wireToken(outs[0].Token), nil
	}
}

func (a *API) deleteToken(ctx context.Context, s scope, in *tokenInput) error {
	t, err := a.token(ctx, s, in.Token)
	if err != nil {
		return err
	}
	_, err = a.commit(ctx, s.caller, s.org.ID, roster.TokenDelete{ID: t.ID})
	return err
}
