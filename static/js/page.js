/** A page that is only read: there is nothing to wait for. */
document.body.dataset.ready = 'true';
