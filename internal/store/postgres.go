package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/lib/pq"
)

// idleInTransaction is how long PostgreSQL lets a transaction stand in which nothing happens. A process that was frozen
// in the middle of one would else keep its locks, and nobody could take its run over.
const idleInTransaction = "15s"

// postgresConnector prepares each connection. The setting is made by a statement and not at the connection's start, since
// poolers refuse start parameters that they don't know.
type postgresConnector struct{ *pq.Connector }

func newPostgresConnector(dsn string) (*postgresConnector, error) {
	c, err := pq.NewConnector(dsn)
	return &postgresConnector{c}, err
}

// Connect implements driver.Connector.
func (c *postgresConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	exec, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("the PostgreSQL driver runs no statements"), conn.Close())
	}
	if _, err := exec.ExecContext(ctx, "SET idle_in_transaction_session_timeout = '"+idleInTransaction+"'", nil); err != nil {
		return nil, errors.Join(fmt.Errorf("set the limit of idle transactions: %w", err), conn.Close())
	}
	return conn, nil
}
