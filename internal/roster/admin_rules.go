package roster

import (
	"context"
	"slices"
	"strings"
)

// administer carries out changes to the organisation itself, its tokens and its API keys.
func (b *batch) administer(ctx context.Context, c Change) (Outcome, error) {
	switch c := c.(type) {
	case OrgCreate:
		if strings.TrimSpace(c.Name) == "" {
			return refuse(Errorf(Invalid, "an organisation needs a name"))
		}
		o := Organisation{ID: c.ID, Name: c.Name, SCIM: c.SCIM, CreatedAt: b.tx.Now()}
		b.rows.Organisations = append(b.rows.Organisations, o)
		b.tell(Subject{Type: "organisation", ID: o.ID, Name: o.Name}, "organisation.created", b.cause.Reason, nil,
			map[string]any{"name": o.Name, "scim": o.SCIM})
		return Outcome{Result: Applied, ID: o.ID, Created: true}, nil
	case OrgSCIM:
		return b.switchSCIM(ctx, c.On)
	case TokenCreate, TokenSet, TokenDelete:
		return b.changeToken(ctx, c)
	case APIKeyCreate:
		k := c.Key
		keys, err := b.tx.APIKeys(ctx, b.org)
		if err != nil {
			return Outcome{}, err
		}
		if slices.ContainsFunc(keys, func(o APIKey) bool { return o.Name == k.Name }) {
			return refuse(Errorf(Conflict, "an API key named %q exists already", k.Name))
		}
		k.Org, k.CreatedAt = b.org, b.tx.Now()
		b.rows.APIKeys = append(b.rows.APIKeys, k)
		b.tell(Subject{Type: "api_key", ID: k.ID, Name: k.Name}, "api_key.created", b.cause.Reason, nil,
			map[string]any{"name": k.Name, "role": string(k.Role)})
		return Outcome{Result: Applied, ID: k.ID, Created: true}, nil
	case APIKeyDelete:
		keys, err := b.tx.APIKeys(ctx, b.org)
		if err != nil {
			return Outcome{}, err
		}
		i := slices.IndexFunc(keys, func(k APIKey) bool { return k.ID == c.ID })
		if i < 0 {
			return refuse(Errorf(NotFound, "no API key %q", c.ID))
		}
		b.rows.DropAPIKeys = append(b.rows.DropAPIKeys, c.ID)
		b.tell(Subject{Type: "api_key", ID: c.ID, Name: keys[i].Name}, "api_key.deleted", b.cause.Reason,
			map[string]any{"name": keys[i].Name, "role": string(keys[i].Role)}, map[string]any{})
		return Outcome{Result: Applied, ID: c.ID}, nil
	}
	return Outcome{}, Errorf(Internal, "unknown change %T", c)
}

func (b *batch) switchSCIM(ctx context.Context, on bool) (Outcome, error) {
	o, err := b.tx.Organisation(ctx, b.org, true)
	if err != nil {
		return Outcome{}, err
	}
	if o.SCIM == on {
		return Outcome{Result: Unchanged, ID: o.ID}, nil
	}
	o.SCIM = on
	b.rows.Organisations = append(b.rows.Organisations, o)
	event := "organisation.scim_disabled"
	if on {
		event = "organisation.scim_enabled"
	}
	b.tell(Subject{Type: "organisation", ID: o.ID, Name: o.Name}, event, b.cause.Reason,
		map[string]any{"scim": !on}, map[string]any{"scim": on})
	return Outcome{Result: Applied, ID: o.ID}, nil
}

func (b *batch) changeToken(ctx context.Context, c Change) (Outcome, error) {
	tokens, err := b.tx.Tokens(ctx, b.org)
	if err != nil {
		return Outcome{}, err
	}
	find := func(id string) *Token {
		if i := slices.IndexFunc(tokens, func(t Token) bool { return t.ID == id }); i >= 0 {
			return &tokens[i]
		}
		return nil
	}
	doc := func(t *Token) map[string]any {
		return map[string]any{"name": t.Name, "disabled": t.Disabled, "connection": t.ConnectionName}
	}
	switch c := c.(type) {
	case TokenCreate:
		t := c.Token
		if slices.ContainsFunc(tokens, func(o Token) bool { return o.Name == t.Name }) {
			return refuse(Errorf(Conflict, "a token named %q exists already", t.Name))
		}
		t.Org, t.CreatedAt = b.org, b.tx.Now()
		b.rows.Tokens = append(b.rows.Tokens, t)
		b.tell(Subject{Type: "token", ID: t.ID, Name: t.Name}, "token.created", b.cause.Reason, nil, doc(&t))
		return Outcome{Result: Applied, ID: t.ID, Created: true, Token: &t}, nil
	case TokenSet:
		t := find(c.ID)
		if t == nil {
			return refuse(Errorf(NotFound, "no token %q", c.ID))
		}
		if t.Disabled == c.Disabled {
			return Outcome{Result: Unchanged, ID: t.ID, Token: t}, nil
		}
		before := doc(t)
		t.Disabled = c.Disabled
		b.rows.Tokens = append(b.rows.Tokens, *t)
		event := "token.enabled"
		if c.Disabled {
			event = "token.disabled"
		}
		b.tell(Subject{Type: "token", ID: t.ID, Name: t.Name}, event, b.cause.Reason, before, doc(t))
		return Outcome{Result: Applied, ID: t.ID, Token: t}, nil
	case TokenDelete:
		t := find(c.ID)
		if t == nil {
			return refuse(Errorf(NotFound, "no token %q", c.ID))
		}
		b.rows.DropTokens = append(b.rows.DropTokens, t.ID)
		b.tell(Subject{Type: "token", ID: t.ID, Name: t.Name}, "token.deleted", b.cause.Reason, doc(t), map[string]any{})
		return Outcome{Result: Applied, ID: t.ID, Token: t}, nil
	}
	return Outcome{}, Errorf(Internal, "unknown change %T", c)
}
