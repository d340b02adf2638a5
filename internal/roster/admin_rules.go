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
	case TokenCreate, TokenSet, TokenLimit, TokenWarn, TokenDelete:
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
