package store

import (
	"strconv"
	"strings"
)

// rowSizes are how many rows one statement writes: few texts, so that engines
// keep them prepared.
var rowSizes = []int{256, 64, 16, 4, 1}

// insert writes many rows. head is the statement before VALUES, columns how many
// values a row has, tail what follows the rows.
func (t *tx) insert(head string, columns int, args []any, tail string) (int64, error) {
	var total int64
	err := inRows(head, columns, args, tail, func(statement string, args []any) error {
		n, err := t.exec(statement, args...)
		total += n
		return err
	})
	return total, err
}

// insertNew is insert with a tail that returns a text of each row that was written, and
// returns those texts.
func (t *tx) insertNew(head string, columns int, args []any, tail string) (out []string, err error) {
	return out, inRows(head, columns, args, tail, func(statement string, args []any) error {
		return t.each(func(row func(...any) error) error {
			var s string
			err := row(&s)
			out = append(out, s)
			return err
		}, statement, args...)
	})
}

// inRows calls run with statements of as many rows as there is a text for.
func inRows(head string, columns int, args []any, tail string, run func(statement string, args []any) error) error {
	for len(args) > 0 {
		rows := len(args) / columns
		size := 1
		for _, s := range rowSizes {
			if s <= rows {
				size = s
				break
			}
		}
		if err := run(head+" VALUES "+valueRows(size, columns)+tail, args[:size*columns]); err != nil {
			return err
		}
		args = args[size*columns:]
	}
	return nil
}

// valueRows is "($1, $2), ($3, $4)" for 2 rows of 2 columns.
func valueRows(rows, columns int) string {
	var b strings.Builder
	b.Grow(rows * columns * 7)
	n := 0
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for c := range columns {
			if c > 0 {
				b.WriteString(", ")
			}
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// batches calls f with a list of placeholders and the arguments for it, after
// the fixed ones, until every one of list was in one. The last of a batch may be
// in it several times.
func batches[T any](list []T, fixed []any, f func(in string, args []any) error) error {
	for len(list) > 0 {
		size := rowSizes[0]
		for _, s := range rowSizes {
			if s < len(list) {
				break
			}
			size = s
		}
		args := append(make([]any, 0, len(fixed)+size), fixed...)
		for i := range size {
			args = append(args, list[min(i, len(list)-1)])
		}
		if err := f(placeholders(len(fixed)+1, size), args); err != nil {
			return err
		}
		list = list[min(size, len(list)):]
	}
	return nil
}

// placeholders is "($3, $4)" for 2 from 3 on.
func placeholders(from, n int) string {
	var b strings.Builder
	b.Grow(n * 6)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		} else {
			b.WriteByte('(')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	b.WriteByte(')')
	return b.String()
}
