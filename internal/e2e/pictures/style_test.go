package pictures

// style imitates the clients: their measures and colours, with fonts of the system.
const style = `
* { box-sizing: border-box; }
body { margin: 0; padding: 16px; width: 720px; background: #fff; color: #1d1c1d; font: 15px/1.46 Lato, "Liberation Sans", Arial, sans-serif; }
.slack { display: flex; gap: 10px; padding: 10px 0 16px; }
.slack .avatar { flex: 0 0 36px; height: 36px; border-radius: 6px; background: #1b3a57; color: #fff; font-weight: bold; text-align: center; line-height: 36px; }
.slack .post { flex: 1; min-width: 0; }
.slack .app { background: #ececec; color: #616061; font-size: 10px; padding: 1px 3px; border-radius: 2px; vertical-align: 1px; }
.slack .when { color: #616061; font-size: 12px; }
.slack h3 { margin: 4px 0; font-size: 18px; line-height: 1.33; }
.slack p, .slack .row { margin: 4px 0; overflow-wrap: anywhere; }
.slack .row + .row { margin-top: 0; }
.slack ul { margin: 4px 0; padding-left: 26px; }
.slack li { overflow-wrap: anywhere; }
.slack code { color: #e01e5a; background: #f6f6f6; border: 1px solid #ddd; border-radius: 3px; padding: 1px 3px; font: 12px "Liberation Mono", monospace; }
.slack a { color: #1264a3; text-decoration: none; }
.slack .attachment { border-left: 4px solid; border-radius: 2px; padding: 4px 0 4px 12px; margin-top: 8px; }
.slack .context { color: #616061; font-size: 13px; margin-top: 8px; }
.slack .context span { margin-right: 8px; }
.teams { padding: 8px 0 20px; font: 14px/20px "Segoe UI", "Liberation Sans", Arial, sans-serif; color: #242424; }
.teams .who { margin-bottom: 6px; font-size: 12px; }
.teams .when { color: #616161; }
.teams .card { border: 1px solid #d1d1d1; border-radius: 6px; padding: 12px 16px; box-shadow: 0 1px 2px #0002; overflow: hidden; }
.teams .e { margin-top: 8px; overflow-wrap: anywhere; }
.teams .e.spacing-none { margin-top: 0; }
.teams .e.spacing-small { margin-top: 4px; }
.teams .e.spacing-medium { margin-top: 16px; }
.teams .e .e:first-child { margin-top: 0; }
.teams .columnset { display: flex; gap: 8px; }
.teams .separator { border-top: 1px solid #e0e0e0; padding-top: 10px; }
.teams .container[class*=style-] { margin: -12px -16px 12px; padding: 12px 16px; }
.teams .style-attention { background: #fde7e9; }
.teams .style-warning { background: #fff4ce; }
.teams .style-good { background: #dff6dd; }
.teams .style-accent { background: #e5f1fb; }
.teams .style-emphasis { background: #f5f5f5; }
.teams .bolder { font-weight: 600; }
.teams .medium { font-size: 17px; line-height: 24px; }
.teams .small { font-size: 12px; line-height: 16px; }
.teams .subtle { color: #616161; }
.teams .monospace { font-family: "Liberation Mono", monospace; font-size: 13px; }
.teams .actions { display: flex; gap: 8px; margin-top: 14px; }
.teams .button { border: 1px solid #d1d1d1; border-radius: 4px; padding: 5px 12px; color: #242424; font-weight: 600; text-decoration: none; }
pre { background: #f6f8fa; border: 1px solid #d7dce1; border-radius: 6px; padding: 12px; font: 12px/1.5 "Liberation Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.mail { border: 1px solid #d7dce1; border-radius: 6px; margin-bottom: 20px; overflow: hidden; font-family: "Liberation Sans", Arial, sans-serif; }
.mail .subject { padding: 10px 14px 0; font-weight: bold; }
.mail .from { padding: 0 14px 8px; color: #5b6773; font-size: 13px; border-bottom: 1px solid #d7dce1; }
.mail .paper { max-height: 700px; overflow: hidden; }
`
