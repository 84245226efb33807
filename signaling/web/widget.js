/**
 * Click to call, for any page: one script tag puts a call button on it.
 *
 *     <script async src="https://gateway.example/widget.js" data-token="TOKEN"></script>
 *
 * The page holds a token only; whom it calls, and on whose account, is the gateway's knowledge. See README.md for the
 * attributes. A page that wants the button at a place of its own writes `<tandem-call token="TOKEN"></tandem-call>` there and
 * leaves `data-token` out.
 */
(() => {
  const { src, dataset } = document.currentScript;
  const element = import(new URL('widget/element.js', src).href);
  if (!dataset.token) return;

  const show = async () => {
    await element;
    const call = document.createElement('tandem-call');
    for (const [name, value] of Object.entries(dataset)) call.setAttribute(name, value);
    if (!call.hasAttribute('place')) call.setAttribute('place', 'corner');
    document.body.append(call);
  };
  if (document.body) show();
  else addEventListener('DOMContentLoaded', show, { once: true });
})();
