// What JupyterLab's builder does not do by itself: the version that the page shows is that of this package.
const { DefinePlugin } = require('@rspack/core');
const { version } = require('./package.json');

module.exports = {
  plugins: [new DefinePlugin({ TFMAGIC_VERSION: JSON.stringify(version) })]
};
