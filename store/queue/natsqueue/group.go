package natsqueue

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ackWait is how long the server waits for a sign of life of who holds a
// message.
const ackWait = 10 * time.Second

// stream makes sure that a topic has its stream.
func (d *driver) stream(ctx context.Context, topic string) error {
	d.mu.Lock()
	_, known := d.streams[topic]
	d.mu.Unlock()
	if known {
		return nil
	}
	_, err := d.makeStream(ctx, topic)
	return err
}

// makeStream returns whether it had to be made.
func (d *driver) makeStream(ctx context.Context, topic string) (made bool, err error) {
	name := d.streamName(topic)
	if _, err = d.js.Stream(ctx, name); errors.Is(err, jetstream.ErrStreamNotFound) {
		made = true
		_, err = d.js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{d.subject(topic)}, Description: "topic " + topic,
			Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Replicas: d.o.Replicas, MaxMsgs: -1, MaxBytes: -1})
	}
	if err != nil {
		return false, err
	}
	_, revision, err := d.incarnation(ctx)
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	d.streams[topic] = revision
	d.mu.Unlock()
	return made, nil
}

func (d *driver) Subscribe(ctx context.Context, topic, group string) error {
	_, err := d.group(ctx, topic, group)
	return d.fault(ctx, err)
}

// group makes sure that a group has its consumer.
func (d *driver) group(ctx context.Context, topic, group string) (jetstream.Consumer, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	c := d.groups[[2]string{topic, group}]
	d.mu.Unlock()
	if c != nil {
		return c, nil
	}
	if err := d.stream(ctx, topic); err != nil {
		return nil, err
	}
	c, err := d.js.CreateOrUpdateConsumer(ctx, d.streamName(topic), jetstream.ConsumerConfig{
		Durable: durable(group), Description: "group " + group, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
		DeliverPolicy: jetstream.DeliverAllPolicy, MaxDeliver: -1, MaxAckPending: 100_000, MaxWaiting: 4096})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.groups[[2]string{topic, group}] = c
	d.mu.Unlock()
	return c, nil
}

// lost says whether an error means that a stream or a consumer is not there.
func lost(err error) bool {
	for _, e := range []error{nats.ErrNoResponders, jetstream.ErrNoStreamResponse, jetstream.ErrStreamNotFound, jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDeleted, jetstream.ErrConsumerDoesNotExist} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// again makes what is gone of a topic and a group that were there. If nobody has
// noticed a loss since, there is a new incarnation. group "" means none.
func (d *driver) again(ctx context.Context, topic, group string) error {
	key := [2]string{topic, group}
	d.mu.Lock()
	revision := d.streams[topic]
	delete(d.groups, key)
	d.mu.Unlock()
	gone, err := d.makeStream(ctx, topic)
	if err != nil {
		return err
	}
	if group != "" {
		_, err := d.js.Consumer(ctx, d.streamName(topic), durable(group))
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			gone = true
		case err != nil:
			return err
		}
		if _, err := d.group(ctx, topic, group); err != nil {
			return err
		}
	}
	if gone {
		return d.renew(ctx, revision)
	}
	return nil
}
