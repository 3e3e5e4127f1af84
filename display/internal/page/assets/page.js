// The page's script: numbers and times as the reader is used to, charts drawn from the tables that
// the server wrote, and what happens now. Everything it shows is in the HTML already, or comes as HTML
// that the server escaped.

const motionless = matchMedia('(prefers-reduced-motion: reduce)')
const darkness = matchMedia('(prefers-color-scheme: dark)')

// ---- numbers and times ----

const count = new Intl.NumberFormat()
const short = new Intl.NumberFormat(undefined, {notation: 'compact', maximumFractionDigits: 1})
const ago = new Intl.RelativeTimeFormat(undefined, {numeric: 'auto'})
const regions = new Intl.DisplayNames(undefined, {type: 'region', fallback: 'code'})
const clock = {hour: 'numeric', minute: '2-digit'}
const date = {day: 'numeric', month: 'short'}
const forms = Object.fromEntries(Object.entries({
	clock, today: {...clock, second: '2-digit'}, day: {...date, year: 'numeric'}, moment: {...date, ...clock}, second: {...date, ...clock, second: '2-digit'},
}).map(([name, options]) => [name, new Intl.DateTimeFormat(undefined, options)]))

// The server's clock is the one that the times are of.
const served = Date.parse(document.body.dataset.now)
const now = () => served + performance.now()

function relative(time) {
	const seconds = (time - now()) / 1000
	for (const [unit, long] of [['day', 86400], ['hour', 3600], ['minute', 60]]) {
		if (Math.abs(seconds) >= long) return ago.format(Math.trunc(seconds / long), unit)
	}
	return ago.format(0, 'minute')
}

const sameDay = (a, b) => forms.day.format(a) === forms.day.format(b)

function localise(root) {
	for (const data of root.querySelectorAll('data')) data.textContent = count.format(BigInt(data.value))
	for (const time of root.querySelectorAll('time')) {
		const at = Date.parse(time.dateTime)
		const form = time.dataset.form
		if (form === 'ago') time.textContent = relative(at)
		// Of what was today, the time of day is enough.
		else time.textContent = forms[form === 'second' && sameDay(at, served) ? 'today' : form].format(at)
	}
	for (const place of root.querySelectorAll('[data-country]')) {
		try { place.textContent = regions.of(place.dataset.country) } catch { /* no code that the browser knows */ }
	}
}

// ---- charts ----

const charts = new Map() // by figure

// read takes a chart's numbers from its table.
function read(figure) {
	const rows = [...figure.querySelectorAll('.bars tbody tr')]
	const lines = [...figure.querySelectorAll('.bars thead th')].slice(1, -1)
	const number = cell => Number(cell.textContent || 0)
	return {
		from: rows.map(row => Date.parse(row.cells[0].firstElementChild.dateTime) / 1000),
		until: Number(figure.dataset.until),
		names: lines.map(line => line.textContent),
		classes: lines.map(line => line.classList[0]),
		values: lines.map((_, i) => rows.map(row => number(row.cells[i + 1]))),
	}
}

function draw(figure) {
	charts.get(figure)?.destroy()
	const plot = figure.querySelector('.plot')
	const data = read(figure)
	const style = getComputedStyle(plot)
	const soft = style.getPropertyValue('--soft'), line = style.getPropertyValue('--line')
	const font = '12px ' + style.getPropertyValue('--sans')
	const colors = data.classes.map(name => {
		const entry = figure.querySelector('.legend .' + name + ' .dot')
		return entry ? getComputedStyle(entry).backgroundColor : soft
	})
	const sums = []
	data.values.forEach((values, i) => sums.push(values.map((v, at) => v + (i ? sums[i - 1][at] : 0))))
	const step = Number(figure.dataset.step)
	const long = data.until - data.from[0]
	const dated = step >= 86400 || long > 3 * 86400
	const label = new Intl.DateTimeFormat(undefined, dated ? date : clock)
	// Between narrow bars, as on a phone, gaps would take the colour away.
	const gap = plot.clientWidth / data.from.length < 4 ? 0 : 1
	const bars = uPlot.paths.bars({size: [1, Infinity], align: 1, gap})
	// The highest sum is drawn first and the others over it, each from the ground.
	const order = sums.map((_, i) => sums.length - 1 - i)
	const chart = new uPlot({
		width: plot.clientWidth, height: plot.clientHeight, padding: [8, 30, 0, 0],
		legend: {show: false},
		cursor: {y: false, points: {show: false}, drag: {x: true, y: false, setScale: false}},
		select: {show: true},
		scales: {x: {time: true, range: [data.from[0], data.until]}, y: {range: (_, low, high) => [0, Math.max(high * 1.06, 4)]}},
		axes: [
			{stroke: soft, font, grid: {show: false}, ticks: {show: false}, size: 26, space: 80, incrs: dated ? [1, 2, 7, 14, 28, 56].map(n => n * 86400) : [60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400], values: (_, splits) => splits.map(at => label.format(at * 1000))},
			{stroke: soft, font, grid: {stroke: line, width: 1}, ticks: {show: false}, size: 44, space: 40, incrs: [1, 2, 5].flatMap(n => Array.from({length: 15}, (_, e) => n * 10 ** e)).sort((a, b) => a - b), values: (_, splits) => splits.map(v => short.format(v))},
		],
		series: [{}, ...order.map(i => ({fill: colors[i], width: 0, paths: bars, points: {show: false}}))],
		hooks: {setCursor: [u => point(figure, data, u.cursor.idx)], setSelect: [u => zoom(figure, data, u)]},
		// What has nothing draws nothing: the edge of its bar would shine through the one over it.
	}, [data.from, ...order.map(i => sums[i].map((sum, at) => data.values[i][at] ? sum : null))], plot)
	charts.set(figure, chart)
}

// words writes what stands at a bar.
function words(figure, data, i) {
	const step = Number(figure.dataset.step)
	const when = forms[step >= 86400 ? 'day' : 'moment'].format(data.from[i] * 1000)
	const parts = data.names.map((name, n) => [name, data.values[n][i]]).filter(([, v]) => v)
	return when + ': ' + (parts.map(([name, v]) => name + ' ' + count.format(v)).join(', ') || count.format(0))
}

function point(figure, data, i) {
	const at = figure.querySelector('.legend .at')
	at.textContent = i == null || data.from[i] === undefined ? '' : words(figure, data, i)
}

// zoom opens the part of the chart that was dragged.
function zoom(figure, data, u) {
	if (u.select.width < 6) return
	const from = u.posToVal(u.select.left, 'x'), until = u.posToVal(u.select.left + u.select.width, 'x')
	open(figure, data, Math.max(data.from.findLastIndex(at => at <= from), 0), data.from.findLastIndex(at => at <= until))
}

// open shows the bars from first to last as the page's span.
function open(figure, data, first, last) {
	const query = new URLSearchParams(location.search)
	const stamp = seconds => new Date(seconds * 1000).toISOString().replace('.000', '')
	query.delete('range')
	query.delete('before')
	query.set('from', stamp(data.from[first]))
	query.set('until', stamp(data.from[last + 1] ?? data.until))
	location.href = (location.pathname === '/' ? '/history' : location.pathname) + '?' + query
}

// keyboard gives a chart a cursor of arrow keys: a slider over its bars. With Shift it chooses a span,
// which Enter opens.
function keyboard(figure) {
	const plot = figure.querySelector('.plot')
	plot.removeAttribute('aria-hidden')
	plot.tabIndex = 0
	plot.setAttribute('role', 'slider')
	plot.setAttribute('aria-label', figure.querySelector('caption').textContent + ', chart: arrow keys read it, Shift and arrow keys choose a span, Enter opens it')
	let at = -1, anchor = -1
	const show = data => {
		const chart = charts.get(figure)
		plot.setAttribute('aria-valuemin', 0)
		plot.setAttribute('aria-valuemax', data.from.length - 1)
		plot.setAttribute('aria-valuenow', at < 0 ? data.from.length - 1 : at)
		plot.setAttribute('aria-valuetext', words(figure, data, at < 0 ? data.from.length - 1 : at))
		if (at < 0) return
		const left = i => chart.valToPos(data.from[i] ?? data.until, 'x')
		chart.setCursor({left: (left(at) + left(at + 1)) / 2, top: 10})
		point(figure, data, at)
		const [first, last] = anchor < 0 ? [at, at - 1] : [Math.min(anchor, at), Math.max(anchor, at)]
		chart.setSelect({left: left(first), width: Math.max(left(last + 1) - left(first), 0), top: 0, height: chart.bbox.height / devicePixelRatio}, false)
	}
	show(read(figure))
	plot.addEventListener('keydown', event => {
		const data = read(figure), end = data.from.length - 1
		const moves = {ArrowLeft: at < 0 ? end : at - 1, ArrowRight: at < 0 ? end : at + 1, Home: 0, End: end, PageUp: at - 12, PageDown: at + 12}
		if (event.key === 'Enter' && at >= 0) return open(figure, data, anchor < 0 ? at : Math.min(at, anchor), anchor < 0 ? at : Math.max(at, anchor))
		if (event.key === 'Escape') anchor = -1
		else if (!(event.key in moves)) return
		else {
			if (event.shiftKey) anchor = anchor < 0 ? Math.max(at, 0) : anchor
			else anchor = -1
			at = Math.min(Math.max(moves[event.key], 0), end)
		}
		event.preventDefault()
		show(data)
	})
}

let tables = 0

// toggle gives a chart's table a button, since the chart stands in its place.
function toggle(figure) {
	const table = figure.querySelector('.tabled'), button = document.createElement('button')
	table.id = 'table-' + tables++
	button.className = 'table-toggle'
	button.textContent = 'Table'
	button.setAttribute('aria-controls', table.id)
	button.setAttribute('aria-expanded', false)
	button.addEventListener('click', () => button.setAttribute('aria-expanded', table.classList.toggle('open')))
	figure.querySelector('figcaption').append(button)
}

function start(root) {
	const figures = root.querySelectorAll('figure.chart')
	localise(root)
	for (const figure of figures) {
		draw(figure)
		keyboard(figure)
		toggle(figure)
	}
	for (const figure of figures) {
		for (const cell of figure.querySelectorAll('.bars td')) cell.dataset.n = cell.textContent
	}
}

function redraw() { for (const figure of charts.keys()) draw(figure) }
darkness.addEventListener('change', redraw)
let width = innerWidth
addEventListener('resize', () => {
	if (width === innerWidth) return
	width = innerWidth
	redraw()
})

// ---- what happens now ----

const page = document.querySelector('[data-live]')

// paint draws a picture of the device. Who wants no motion sees the picture that it comes to rest at.
const lights = [...document.querySelectorAll('.light')], cells = [...document.querySelectorAll('.cells > g:not(.colon)')]
let rest
function paint(picture) {
	cells.forEach((cell, i) => {
		const bits = picture.bright ? parseInt(picture.cells.slice(2 * i, 2 * i + 2), 16) : 0
		;[...cell.children].forEach((segment, n) => segment.classList.toggle('on', bits >> n & 1))
	})
	document.querySelector('.colon').classList.toggle('on', picture.colon && picture.bright > 0)
	const light = () => lights.forEach((led, i) => led.setAttribute('color', '#' + picture.lights.slice(6 * i, 6 * i + 6)))
	clearTimeout(rest)
	if (motionless.matches) rest = setTimeout(light, 1000)
	else light()
}

function put(cell, n) {
	const data = cell.querySelector('data')
	if (data.value === String(n)) return
	data.value = n
	data.textContent = count.format(n)
}

function total(totals) {
	put(document.querySelector('[data-total]'), totals.all)
	totals.lamps.forEach((n, i) => {
		const cell = document.querySelector(`[data-lamp="${i}"]`)
		if (cell) put(cell, n)
	})
	speak(totals.all)
}

// speak tells a screen reader the total, at most twice a minute.
let spoken = -Infinity
function speak(n) {
	if (performance.now() - spoken < 30000) return
	spoken = performance.now()
	document.querySelector('#spoken').textContent = count.format(n) + ' attempts'
}

// fragment makes nodes of HTML that the server wrote.
function fragment(html) {
	const template = document.createElement('template')
	template.innerHTML = html
	return template.content
}

let last = page ? Number(page.dataset.live) : 0

function rows(html, id) {
	const body = document.querySelector('.feed tbody'), fresh = fragment(html)
	for (const row of [...fresh.children]) document.getElementById(row.id) ? row.remove() : row.classList.add('new')
	localise(fresh)
	body.prepend(fresh)
	while (body.children.length > 40) body.lastElementChild.remove()
	last = id
}

function agents(html) {
	const body = document.querySelector('[data-agents]'), fresh = fragment(html)
	localise(fresh)
	body.replaceChildren(fresh)
}

// refresh reads what the server says anew, such as the chart, and takes it over.
async function refresh() {
	const answer = await fetch(location.href)
	if (!answer.ok || answer.redirected) return location.reload()
	const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
	for (const part of document.querySelectorAll('[data-fresh] figure.chart')) {
		const next = fresh.querySelector(`[data-fresh="${part.closest('[data-fresh]').dataset.fresh}"] figure.chart`)
		if (!next) continue
		part.dataset.until = next.dataset.until
		for (const piece of ['.bars', '.legend']) part.querySelector(piece).replaceWith(document.adoptNode(next.querySelector(piece)))
		localise(part)
		draw(part)
	}
	const total = fresh.querySelector('.total b data')
	if (total) put(document.querySelector('.total b'), total.value)
}

let source
function listen() {
	if (document.hidden || source) return
	source = new EventSource('/live?after=' + last)
	source.addEventListener('picture', event => paint(JSON.parse(event.data)))
	source.addEventListener('totals', event => total(JSON.parse(event.data)))
	source.addEventListener('rows', event => rows(event.data, Number(event.lastEventId)))
	source.addEventListener('agents', event => agents(event.data))
	source.addEventListener('error', () => {
		if (source.readyState === EventSource.CLOSED) { // refused: logged out, or too many pages
			hush()
			setTimeout(listen, 5000)
		}
	})
}

function hush() {
	source?.close()
	source = undefined
}

start(document)
if (page) {
	listen()
	// A browser has few connections to one host: pages that nobody sees leave theirs.
	document.addEventListener('visibilitychange', () => document.hidden ? hush() : listen())
	addEventListener('pagehide', hush)
	setInterval(() => {
		for (const time of document.querySelectorAll('time[data-form=ago]')) time.textContent = relative(Date.parse(time.dateTime))
		if (!document.hidden) refresh().catch(() => {}) // the next time, then
	}, 30000)
}
