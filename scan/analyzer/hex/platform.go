package hex

// platform returns the repository of an application that is part of Erlang/OTP (releases 17 to
// 28), of Elixir or of their tools, or "": names that Hex gives to nobody else.
func platform(application string) string {
	switch application {
	case "asn1", "common_test", "compiler", "cosEvent", "cosEventDomain", "cosFileTransfer",
		"cosNotification", "cosProperty", "cosTime", "cosTransactions", "crypto", "debugger",
		"dialyzer", "diameter", "edoc", "eldap", "erl_docgen", "erl_interface", "erts", "et", "eunit",
		"ftp", "gs", "hipe", "ic", "inets", "jinterface", "kernel", "megaco", "mnesia", "observer",
		"odbc", "orber", "os_mon", "ose", "otp_mibs", "parsetools", "percept", "public_key", "reltool",
		"runtime_tools", "sasl", "snmp", "ssh", "ssl", "stdlib", "syntax_tools", "test_server", "tftp",
		"tools", "typer", "webtool", "wx", "xmerl":
		return "erlang/otp"
	case "eex", "elixir", "ex_unit", "iex", "logger", "mix":
		return "elixir-lang/elixir"
	case "hex":
		return "hexpm/hex"
	case "rebar":
		return "erlang/rebar3"
	}
	return ""
}
