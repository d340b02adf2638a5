-- +goose Up
-- A plan is read in the order of apply whatever the states of its actions are.

DROP INDEX run_actions_order;
CREATE INDEX run_actions_order ON run_actions (run_id, phase, n);
