package api

import (
	"context"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func wireKey(k *roster.APIKey) client.APIKey {
	return client.APIKey{
		ID: k.ID, Name: k.Name, Role: string(k.Role), ExpiresAt: optionalTime(k.ExpiresAt), CreatedAt: k.CreatedAt,
	}
}

func keyID(k *roster.APIKey) string { return k.ID }

func (a *API) listKeys(ctx context.Context, s scope, in *orgListInput) (client.Page[client.APIKey], error) {
	all, err := a.store.APIKeys(ctx, s.org.ID)
	if err != nil {
		return client.Page[client.APIKey]{}, err
	}
	items, next, err := pageOf(in.InPage, all, keyID)
	return mapped(items, next, wireKey), err
}

type createKeyInput struct {
	InOrg
	Body client.NewAPIKey
}

func (a *API) createKey(ctx context.Context, s scope, in *createKeyInput) (client.APIKey, error) {
	none := client.APIKey{}
	called, err := name("an API key", in.Body.Name)
	if err != nil {
		return none, err
	}
	expires, err := a.expiry(in.Body.Expires)
	if err != nil {
		return none, err
	}
	k := roster.APIKey{Name: called, Role: roster.Role(in.Body.Role), ExpiresAt: expires}
	if err := s.mayGrant(k.Role); err != nil {
		return none, err
	}
	var plain string
	k.ID, plain, k.Hash = roster.MintAPIKey()
	if _, err := a.commit(ctx, s.caller, s.org.ID, roster.APIKeyCreate{Key: k}); err != nil {
		return none, err
	}
	stored, err := a.store.APIKeyByID(ctx, k.ID)
	if err != nil {
		return none, err
	}
	made := wireKey(&stored)
	made.Key = plain
	return made, nil
}

type keyInput struct {
	InOrg
	Key string `path:"key" doc:"id or name"`
}

func (a *API) deleteKey(ctx context.Context, s scope, in *keyInput) error {
	all, err := a.store.APIKeys(ctx, s.org.ID)
	if err != nil {
		return err
	}
	k, err := pick("API key", in.Key, all, keyID, func(k *roster.APIKey) string { return k.Name })
	if err != nil {
		return err
	}
	_, err = a.commit(ctx, s.caller, s.org.ID, roster.APIKeyDelete{ID: k.ID})
	return err
}
